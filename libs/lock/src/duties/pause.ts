import { outsideRequests } from '@roost/redis';

/** Waits; resolves early when the signal aborts, and never rejects. */
export type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

/** A pause of the real clock, which does not keep the process alive. */
export const pause: Pause = (ms, signal) =>
  outsideRequests(
    () =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const end = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', end);
          resolve();
        };
        const timer = setTimeout(end, ms).unref();
        signal.addEventListener('abort', end);
      }),
  );

const FIRST_MS = 100;
const LONGEST_MS = 5_000;

/** How long to wait after so many failures in a row: doubled each time, and spread so that processes do not meet. */
export function backOffMs(failures: number, random: () => number = Math.random): number {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  return longest * (0.5 + random() / 2);
}

/** Waits for it, but no longer than so many ms; resolves to whether it ended in time. It must not reject. */
export async function within(ms: number, work: Promise<unknown>, wait: Pause): Promise<boolean> {
  const ended = new AbortController();
  try {
    return await Promise.race([work.then(() => true), wait(ms, ended.signal).then(() => false)]);
  } finally {
    ended.abort();
  }
}
