import { OutageError, outageOf } from '../database/outage.js';
import type { QueuePool } from '../database/queue-pool.js';
import { QueueClosedError, QueueUnavailableError } from '../queue.errors.js';
import type { Ask } from './sql-queue.connection.js';

const PRODUCER_WITHIN_MS = 1_000;
/** How long what a worker asks while it is being closed goes on waiting for a database that is lost. */
const GRACE_MS = 300;
/** How often what a worker asks may be lost on its way before BullMQ is told. */
const TRIES = 3;

export interface AskParts {
  readonly pool: QueuePool;
  readonly queue: string;
  /** Why queues cannot be used now. */
  readonly trouble: () => string | undefined;
  /** Calls it once, the next time that queues can be used. Returns what prevents that. */
  readonly onceReady: (run: () => void) => () => void;
}

/** How one backend asks the database. */
export interface Asking {
  readonly ask: Ask;
  /** Resolves when it can be asked. */
  readonly ready: () => Promise<void>;
  /** Told when the backend is to stop, and when it goes on after all. */
  readonly stop: (stopped: boolean) => void;
}

/** Is answered in a second, one way or the other. */
export function producerAsking({ pool, queue, trouble }: AskParts): Asking {
  let closed = false;
  const ready = () => {
    const reason = trouble();
    if (closed || reason === 'closed') return Promise.reject(new QueueClosedError(queue));
    if (reason !== undefined) return Promise.reject(new QueueUnavailableError(queue, reason, false));
    return Promise.resolve();
  };
  const ask: Ask = async (text, params) => {
    try {
      return await pool.queryWithin(PRODUCER_WITHIN_MS, text, params);
    } catch (error) {
      if (!(error instanceof OutageError)) throw error;
      throw new QueueUnavailableError(queue, error.reason, error.sent, { cause: error });
    }
  };
  return { ask: async (text, params) => (await ready(), await ask(text, params)), ready, stop: () => (closed = true) };
}

/** Waits for a database that is lost, as long as it takes, until it is told to stop. */
export function workerAsking({ pool, trouble, onceReady }: AskParts): Asking {
  const waiting = new Set<() => void>();
  let stopped = false;
  const ready = async () => {
    if (trouble() === undefined) return;
    if (trouble() === 'closed') throw closedError();
    await new Promise<void>((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const over = () => {
        clearTimeout(timer);
        waiting.delete(stop);
        forget();
        resolve();
      };
      const stop = () => (timer ??= setTimeout(over, GRACE_MS));
      const forget = onceReady(over);
      waiting.add(stop);
      if (stopped) stop();
    });
    if (trouble() !== undefined) throw closedError();
  };
  const ask: Ask = async (text, params) => {
    for (let lost = 0; ;) {
      await ready();
      try {
        return await pool.query(text, params);
      } catch (error) {
        if (!(error instanceof OutageError)) throw outageOf(error) === 'closed' ? closedError(error) : error;
        // What was sent may have been done. BullMQ asks again as well, after fifteen seconds: the job's token tells it apart.
        if (error.sent && ++lost === TRIES) throw closedError(error);
      }
    }
  };
  const stop = (isStopped: boolean) => {
    stopped = isStopped;
    if (stopped) for (const each of waiting) each();
  };
  return { ask, ready, stop };
}

/** What BullMQ takes for a connection that was lost, and tries again after. */
function closedError(cause?: unknown): Error {
  return new Error('Connection is closed.', { cause });
}
