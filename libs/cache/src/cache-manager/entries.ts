import type { HealthReport } from '@roost/redis';

/** Where the names of entries come from: `cacheManagerKey`, without the product's prefix. */
type Name = string;

/**
 * Texts with a lifetime: what Redis and this process offer to `CACHE_MANAGER`. `get` and `set` are what
 * cache-manager-ioredis-yet calls of an ioredis client.
 */
export interface Entries {
  /** The text, or null; also when it cannot be asked now. */
  get(name: Name): Promise<string | null>;
  /** Whether it can be written now. When not, what is there will not be served again. */
  accepts(name: Name): boolean;
  set(name: Name, text: string, unit: 'PX', ttlMs: number): Promise<unknown>;
  exists(name: Name): Promise<boolean>;
  /** Resolves to whether there was one. */
  unlink(name: Name): Promise<boolean>;
  /** Removes all whose names begin so. */
  clear(start: string): Promise<void>;
  /** The names that begin so, some at a time. */
  scan(start: string): AsyncIterable<readonly Name[]>;
  /** For health. */
  report(): HealthReport;
  /** Nothing is done in the background any more. */
  close(): void;
}
