import type { CacheService } from './cache.service.js';
import type { WarmEntry, WarmOptions, WarmReport } from './cache.options.js';

/** Loads what is missing, some at a time. */
export async function warm(
  cache: CacheService,
  entries: readonly WarmEntry[],
  { concurrency, signal, onProgress }: WarmOptions & { readonly concurrency: number },
): Promise<WarmReport> {
  const report = { total: entries.length, loaded: 0, present: 0, failed: 0 };
  const left = entries.values();
  const worker = async () => {
    for (const { key, load, options } of left) {
      if (signal?.aborted) return;
      try {
        const { source } = await cache.fetch(key, load, options);
        report[source === 'loader' ? 'loaded' : 'present']++;
      } catch {
        report.failed++; // told in the report: the others are loaded all the same
      }
      onProgress?.({ ...report });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return report;
}
