import { JobTimeoutError } from '../queue.errors.js';

/** The result of a handler that ends in time. One that does not is told so, and what it returns later is dropped. */
export async function inTime<T>(
  ms: number | undefined,
  abort: (reason: Error) => void,
  handle: () => Promise<T>,
): Promise<T> {
  if (ms === undefined) return handle();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new JobTimeoutError(ms);
      abort(error);
      reject(error);
    }, ms);
  });
  try {
    return await Promise.race([handle(), late]);
  } finally {
    clearTimeout(timer);
  }
}
