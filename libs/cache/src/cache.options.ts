import type { BackendMode, Duration } from '@roost/redis';
import type { CodecChoice } from './values/codec.js';

/** How {@link CacheModule} keeps values. What a call leaves open is taken from `defaults`. */
export interface CacheModuleOptions {
  /** `auto`: Redis when configured, this process otherwise; `redis`: the boot fails without it. @default the connection's */
  readonly backend?: BackendMode;
  /** The connection of `RedisModule`. @default 'default' */
  readonly connection?: string;
  /** What the keys of this application begin with; `clear()` reaches no other. Letters, digits, `_`, `.` and `-`. @default 'app' */
  readonly namespace?: string;
  /** The version of what is cached: another one sees nothing of what this one has stored. @default none */
  readonly version?: string;
  /** What calls leave open. */
  readonly defaults?: CacheOptions;
  /** Values in this process; false keeps them in Redis alone. */
  readonly near?: false | NearOptions;
  /** How the server tells of changes: `auto` takes the best that works. @default 'auto' */
  readonly tracking?: 'auto' | 'off';
  /** A value whose serialized form is longer is returned and not stored, in bytes. @default 10240 */
  readonly maxValueBytes?: number;
  /** From this length on a value is warned of, in bytes. @default 5120 */
  readonly warnValueBytes?: number;
  /** Values from this length on are compressed in Redis, in bytes; false for never. @default false */
  readonly compressFromBytes?: number | false;
  /** How long a loader may give no sign of life before another one takes over. @default '3s' */
  readonly lease?: Duration;
  /** How long what was loaded while Redis is away is served again by this process; 0 for not at all. @default '5s' */
  readonly outageTtl?: Duration;
  /** Keys and tags whose invalidation is kept while Redis is away; one more, and all is invalidated. @default 10000 */
  readonly maxPendingInvalidations?: number;
  /** What one load costs, for the savings in `stats()`. @default none */
  readonly cost?: { readonly perLoad: number; readonly currency?: string };
  /** Whether text that others stored at a key is read as JSON; `clear()` does not reach it. @default false */
  readonly foreignJson?: boolean;
}

/** Values in this process. */
export interface NearOptions {
  /** What values, keys and bookkeeping may take, in bytes. @default 33554432 (32 MiB) */
  readonly maxBytes?: number;
}

/** How one value is kept. */
export interface CacheOptions {
  /** How long it is fresh. @default '5m' */
  readonly ttl?: Duration;
  /** By which {@link CacheService.invalidateTags} finds it. */
  readonly tags?: readonly string[];
  /** How long after its `ttl` it may still be served when a load fails or takes too long. @default 0 */
  readonly grace?: Duration;
  /** Whether this error of a load is answered with the stale value; asked within `grace`. @default every error */
  readonly staleIfError?: boolean | ((error: unknown) => boolean);
  /** How long a failed load is not repeated while there is a stale value. @default '1s' */
  readonly retryAfter?: Duration;
  /** How long a load is waited for when there is a stale value; 0 is stale-while-revalidate. @default without limit */
  readonly softTimeout?: Duration;
  /** How long a load is waited for at all; its signal is aborted then. @default without limit */
  readonly hardTimeout?: Duration;
  /** Whether a load that ran into a timeout may store its result when it ends. @default true for soft, false for hard */
  readonly backgroundCompletion?: boolean;
  /** How long an error of a load is given to others instead of loading again; 0 for those who wait for it now. @default 0 */
  readonly errorTtl?: Duration;
  /** How long null is kept. @default `ttl` */
  readonly negativeTtl?: Duration;
  /** By how much lifetimes are lengthened at random, at most: values stored at once do not end at once. @default 0.05 */
  readonly jitter?: number;
  /**
   * When a fresh value is loaded anew in the background: from this share of its `ttl` on, or by chance, the more likely the
   * nearer its end and the longer its load took (XFetch, Vattani et al. 2015), where 1 is the optimal `beta`. @default never
   */
  readonly eager?: number | { readonly beta: number };
  /** How it is written: `json`, or `v8` for Map, Set, Date, BigInt and binary data. @default 'json' */
  readonly codec?: CodecChoice;
}

/** What a loader is given. */
export interface LoadContext {
  /** Aborted when the caller waits no longer (`hardTimeout`), or the application ends. */
  readonly signal: AbortSignal;
  /** Overrides the `ttl` of this value. */
  setTtl(ttl: Duration): void;
  /** Adds tags that are only known now. */
  addTags(...tags: string[]): void;
  /** The result is returned and not stored. */
  skip(): void;
}

export type Loader<T> = (context: LoadContext) => T | Promise<T>;

/** Where a value came from: this process, Redis, one of them after its `ttl`, or its loader. */
export type CacheSource = 'near' | 'redis' | 'stale' | 'loader';

/** A value and what is known of it. */
export interface CacheResult<T> {
  readonly value: T;
  readonly source: CacheSource;
  /** When it was loaded or set, by the clock of Redis, in ms since 1970. */
  readonly loadedAtMs: number;
  /** How long it has been there, in ms. */
  readonly ageMs: number;
  /** How long it stays fresh, in ms; negative since it became stale, 0 when it was not stored. */
  readonly ttlMs: number;
  /** Whether it is in the cache: false for what was too large, was invalidated while it was loaded, or while Redis is away. */
  readonly stored: boolean;
}

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
  /** Ends it: what is under way is still loaded, and nothing else is begun. */
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
