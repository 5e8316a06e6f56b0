/** So many at once, that client and server work at the same time and nothing else waits for long. */
const BATCH = 100;

/** Runs it for each item, many at once. Rejects with the first failure, and begins no further batch. */
export async function inBatches<T>(items: readonly T[], run: (item: T) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < items.length; i += BATCH) {
    await Promise.all(items.slice(i, i + BATCH).map(run));
  }
}
