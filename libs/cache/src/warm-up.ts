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
