import { classifyError, stops } from '@roost/redis';
import { outageOf } from '../database/outage.js';
import { QueueClosedError, QueueUnavailableError } from '../queue.errors.js';

/** What a call rejects with that did not settle in time; what it has begun may still happen. */
class DeadlineError extends Error {
  override readonly name = 'DeadlineError';

  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
  }
}

/** Waits for it for so long. What comes later is nobody's any more, an error included. */
export function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new DeadlineError(ms)), ms);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error as Error);
      },
    );
  });
}

/** Asks the store of a queue, which is answered in time. */
export type Ask = <T>(question: () => Promise<T>) => Promise<T>;

/**
 * @param trouble why the store is not asked at all.
 * @throws QueueUnavailableError when it cannot be reached or does not answer in time.
 */
export function askWithin(queue: string, ms: number, trouble: () => string | undefined): Ask {
  return async (question) => {
    const known = trouble();
    if (known !== undefined) throw new QueueUnavailableError(queue, known, false);
    try {
      return await within(ms, question());
    } catch (error) {
      if (error instanceof QueueClosedError || !isOutage(error)) throw error;
      throw new QueueUnavailableError(queue, (error as Error).message, true, { cause: error });
    }
  };
}

const SQLSTATE = /^[0-9A-Z]{5}$/;

/** Whether an error means that the store could not serve, and not that it was asked for something wrong. */
export function isOutage(error: unknown): boolean {
  if (error instanceof DeadlineError || error instanceof QueueUnavailableError) return true;
  if (outageOf(error) !== undefined) return true;
  const { code } = error as { code?: unknown };
  if (typeof code === 'number') return false; // what BullMQ's scripts answer
  if (typeof code === 'string' && SQLSTATE.test(code)) return false;
  return stops('write', classifyError(error));
}
