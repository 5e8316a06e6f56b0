import type { CacheService } from './cache.service.js';
import type { CacheOptions, Loader } from './cache.options.js';

/** A value that is to be there before anybody asks for it. */
export interface WarmEntry {
  readonly key: string;
  readonly load: Loader<unknown>;
  readonly options?: CacheOptions;
}

/** How {@link CacheService.warm} goes about it. */
export interface WarmOptions {
  /** How many are loaded at a time. @default 4 */
  readonly concurrency?: number;
  /** Ends it: what is under way ends, and nothing else is begun. */
  readonly signal?: AbortSignal;
  /** Called after each. */
  readonly onProgress?: (progress: WarmReport) => void;
}

/** How far it has come. */
export interface WarmReport {
  readonly total: number;
  /** Loaded now. */
  readonly loaded: number;
  /** Were there already. */
  readonly present: number;
  readonly failed: number;
}

/** @internal */
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
