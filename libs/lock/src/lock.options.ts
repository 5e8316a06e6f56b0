import type { BackendMode, Duration } from '@roost/redis';
import type { Transactional } from './fencing/transactional.js';

/** How {@link LockModule} decides about locks. */
export interface LockOptions {
  /** `auto`: Redis when configured, this process otherwise; `redis`: the boot fails without it. @default the connection's */
  readonly backend?: BackendMode;
  /** The connection of `RedisModule`. @default 'default' */
  readonly connection?: string;
  /**
   * The database that decides while Redis is gone or in quarantine (guard mode), and that knows whether Redis was used
   * before. What is written in `Lock.transaction` of the same database is safe whatever fails.
   */
  readonly guard?: Transactional;
  /** How long a lock lives without a renewal. @default '30s', or `maxTtl` when that is less */
  readonly ttl?: Duration;
  /** The longest `ttl` that any call may ask for; after a loss of memory Redis grants nothing new for so long. @default '60s' */
  readonly maxTtl?: Duration;
  /** How long a call waits for a busy lock; 0 not at all. @default '5s' */
  readonly wait?: Duration;
  /** How long an isolated primary may go on granting, added to the quarantine: its `min-replicas-max-lag`. @default 0 */
  readonly splitBrain?: Duration;
  /** By how much the rates of two clocks may differ. @default 0.01 */
  readonly driftRatio?: number;
  /** By how much a lock is given up earlier than its time runs out, in ms. @default 50 */
  readonly safetyMarginMs?: number;
  /** After how long without a sign of life a process loses its place in a queue. @default '5s' */
  readonly waiterTtl?: Duration;
  /** False grants at once after a loss of memory, which breaks mutual exclusion. @default true */
  readonly quarantine?: boolean;
  /**
   * That a Redis without any trace of locks was never used, and needs no quarantine. When false, a `guard` that remembers
   * what it was used with is asked, and else it costs one quarantine.
   * @default false in production, true elsewhere
   */
  readonly assumeFresh?: boolean;
  /** Whether this is the only process, so that locks in its memory are enough in production. @default false */
  readonly singleInstance?: boolean;
  /** Whether this is production: locks in memory are then refused. @default false */
  readonly production?: boolean;
  /** Whether the boot fails when Redis may evict locks, instead of a warning. @default false */
  readonly strict?: boolean;
  /** How long a shutdown waits for those who hold a lock. @default '10s' */
  readonly shutdownGrace?: Duration;
}

/** How one lock is asked for. */
export interface AcquireOptions {
  /** How long it lives without a renewal. @default the module's */
  readonly ttl?: Duration;
  /** How long to wait when it is busy; 0 not at all. @default the module's */
  readonly wait?: Duration;
  /** Ends the wait: the call then rejects with its reason. Once granted, the lock is not touched by it. */
  readonly signal?: AbortSignal;
  /** Whether a section that holds the lock may ask for it again: counted in this process. @default false */
  readonly reentrant?: boolean;
  /** Whether it is renewed until it is released; false ends it after its `ttl`. @default true */
  readonly renew?: boolean;
}
