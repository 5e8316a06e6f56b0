import { outsideRequests } from '@roost/redis';

/** Runs it again and again, with about so long between the end of one run and the next, until it is stopped. */
export function repeat(run: () => Promise<void>, everyMs: number, onError: (error: unknown) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const schedule = () => {
    if (!stopped) timer = outsideRequests(() => setTimeout(() => void turn(), jittered(everyMs)).unref());
  };
  const turn = async () => {
    try {
      await run();
    } catch (error) {
      onError(error);
    }
    schedule();
  };
  schedule();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** Up to a quarter more or less, so that processes that started together do not come together. */
export function jittered(ms: number, random: () => number = Math.random): number {
  return ms * (0.75 + random() / 2);
}

/** The pause after so many failures in a row: doubled each time, and spread. */
export function backOffMs(failures: number, firstMs: number, longestMs: number): number {
  return Math.min(longestMs, jittered(firstMs * 2 ** Math.min(failures - 1, 20)));
}
