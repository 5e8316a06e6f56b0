import { setTimeout as sleep } from 'node:timers/promises';

/** How long and how often {@link eventually} tries, in milliseconds. */
export interface EventuallyOptions {
  readonly within: number;
  /** @default 20 */
  readonly every?: number;
}

/**
 * Calls `fn` until it neither throws nor returns something falsy, and gives back what it returned.
 * Returning nothing counts as success, so that a block of expectations can be passed.
 * @throws the last error of `fn` when the time is up.
 * @example await eventually(async () => expect(await server.keys()).toEqual([]), { within: 1_000 });
 */
export async function eventually<T>(
  fn: (() => T | Promise<T>) & Decided<T>,
  { within, every = 20 }: EventuallyOptions,
): Promise<T> {
  const deadline = performance.now() + within;
  for (let last: unknown; ;) {
    try {
      const result = await before(deadline, fn, last);
      if (result || result === undefined) return result;
      last = new Error(`Still ${String(result)} after ${within} ms`);
    } catch (error) {
      last = error;
    }
    if (performance.now() + every >= deadline) throw last;
    await sleep(every);
  }
}

/** Refuses results that may be undefined, such as those of `find()`: they would count as success. */
type Decided<T> = undefined extends T ? (void extends T ? unknown : 'Expected a boolean, not undefined') : unknown;

/** One try, given up at the deadline: a call that hangs must not outlive it. */
async function before<T>(deadline: number, fn: () => T | Promise<T>, last: unknown): Promise<T> {
  const remainingMs = Math.max(deadline - performance.now(), 1);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(last ?? new Error('Still waiting for the call to end')), remainingMs);
  });
  try {
    return await Promise.race([fn(), late]);
  } finally {
    clearTimeout(timer);
  }
}
