import type { Key } from '@roost/redis';

/** A value and how long it has left. */
export interface StoredValue {
  readonly value: string;
  readonly leftMs: number;
}

/** Small texts that end by themselves. Every call is atomic, and settles within a deadline. */
export abstract class ValueStore {
  abstract readonly name: 'redis' | 'memory';

  abstract set(key: Key, value: string, ttlMs: number): Promise<void>;
  abstract get(key: Key): Promise<StoredValue | undefined>;
  /** Reads and deletes in one step: of many at once, one gets it. */
  abstract take(key: Key): Promise<string | undefined>;
  /** Resolves to whether it was there. */
  abstract delete(key: Key): Promise<boolean>;
}
