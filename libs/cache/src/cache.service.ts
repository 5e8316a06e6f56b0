import type { CacheOptions, CacheResult, Loader, WarmEntry, WarmOptions, WarmReport } from './cache.options.js';
import type { CacheStats } from './cache.stats.js';

/**
 * Values in this process and in Redis, under keys of any text. No method rejects because of Redis: what it cannot serve is
 * a miss. After an invalidation has resolved, no load that began before it can store its result anywhere.
 */
export abstract class CacheService {
  /** The value, or undefined. */
  abstract get<T>(key: string): Promise<T | undefined>;
  /** What this process has and may serve now, without asking Redis; undefined says nothing about Redis. */
  abstract peek<T>(key: string): CacheResult<T> | undefined;
  /** The value and what is known of it, or undefined. A stored null is found. */
  abstract lookup<T>(key: string): Promise<CacheResult<T> | undefined>;
  /** The value, loaded when there is none: once for all who ask at the same time, in all processes. */
  abstract getOrSet<T>(key: string, loader: Loader<T>, options?: CacheOptions): Promise<T>;
  /** As {@link getOrSet}, with what is known of the value. */
  abstract fetch<T>(key: string, loader: Loader<T>, options?: CacheOptions): Promise<CacheResult<T>>;
  /** Resolves to whether it was stored. Loads that are under way do not overwrite it. */
  abstract set(key: string, value: unknown, options?: CacheOptions): Promise<boolean>;
  /** Resolves to whether there was a value; loads that are under way do not store theirs. */
  abstract delete(key: string): Promise<boolean>;
  /** Resolves to how many there were. */
  abstract deleteMany(keys: readonly string[]): Promise<number>;
  abstract exists(key: string): Promise<boolean>;
  /** How long it stays fresh, in ms; undefined without a fresh value. */
  abstract ttl(key: string): Promise<number | undefined>;
  /** Ends its freshness and keeps it for its `grace`. Resolves to whether there was a value. */
  abstract expire(key: string): Promise<boolean>;

  /** In the order of the keys, undefined for each that is missing. */
  abstract getMany<T>(keys: readonly string[]): Promise<(T | undefined)[]>;
  /** Resolves to how many were stored. */
  abstract setMany(entries: Iterable<readonly [string, unknown]>, options?: CacheOptions): Promise<number>;
  /**
   * In the order of the keys; the loader is called once with those that are missing, each once, and gives a map, or values
   * in their order. What it does not give is undefined.
   */
  abstract getOrSetMany<T>(
    keys: readonly string[],
    loader: ManyLoader<T>,
    options?: CacheOptions & { readonly allowPartial?: boolean },
  ): Promise<(T | undefined)[]>;

  /** What has one of the tags is not served any more, by any process. */
  abstract invalidateTags(...tags: string[]): Promise<void>;
  /** Nothing that this namespace has stored is served any more: one command, whatever there is. */
  abstract clear(): Promise<void>;
  /** Loads what is missing, some at a time. */
  abstract warm(entries: Iterable<WarmEntry>, options?: WarmOptions): Promise<WarmReport>;
  /** What this process has counted since it started. */
  abstract stats(): CacheStats;
}

/** Loads several values at once. */
export type ManyLoader<T> = (
  keys: readonly string[],
  context: { readonly signal: AbortSignal },
) => Promise<ReadonlyMap<string, T> | readonly (T | undefined)[]> | ReadonlyMap<string, T> | readonly (T | undefined)[];
