import type { Duration } from '@roost/redis';
import type { QueueDatabase } from './database/queue-database.js';
import type { JobOptions } from './jobs/job.options.js';
import type { StandardSchema } from './jobs/standard-schema.js';
import type { QueueClock } from './memory/queue-clock.js';
import type { QueueStoreName } from './stores/queue.store.js';

/** Where jobs are kept. `auto`: Redis when it is configured, else the database that is given. */
export type QueueBackend = 'auto' | QueueStoreName;

/** How {@link QueueModule} keeps and runs jobs. */
export interface QueueModuleOptions {
  /** Nothing configured is memory outside production, and fails the boot in production. @default 'auto' */
  readonly backend?: QueueBackend;
  /** The connection of `RedisModule` for jobs on Redis, and for streams. @default 'default' */
  readonly connection?: string;
  /**
   * A Postgres: keeps the jobs where the backend is `postgres` or `embedded`, and otherwise the outbox, in which jobs wait
   * that Redis cannot take, and those of {@link Outbox.add}.
   */
  readonly database?: QueueDatabase;
  /** Options of every job, before those of its queue and its own. @default {@link JOB_DEFAULTS} */
  readonly defaults?: JobOptions;
  /** Whether this process runs jobs and reads streams, or only adds them. @default true */
  readonly workers?: boolean;
  /** How long a shutdown waits for jobs that run, before it hands them back. @default '10s' */
  readonly drainTimeout?: Duration;
  /** How long adding a job may take. @default '1s' */
  readonly enqueueTimeout?: Duration;
  /** What a Redis without AOF means at boot: a warning, or that jobs must not be kept there. @default 'warn' */
  readonly durability?: 'warn' | 'aof';
  /** Whether this is production, where jobs that may be lost are refused. @default false */
  readonly production?: boolean;
  /** The clock of the memory backend; a `FakeQueueClock` in tests. @default that of the system */
  readonly clock?: QueueClock;
}

/** One queue. */
export interface QueueOptions {
  /** Another backend than the module's: queues on Redis and on Postgres may live in one process. */
  readonly backend?: QueueStoreName;
  /** Options of every job of this queue, before its own. */
  readonly defaults?: JobOptions;
  /**
   * What jobs there are, by name, each with a schema (zod, valibot, arktype: Standard Schema) of its data, or `true` for any.
   * Checked when a job is added and again when it is run. Without it every name is allowed.
   */
  readonly jobs?: Readonly<Record<string, StandardSchema | true>>;
  /** How many jobs of this queue one process runs at a time. @default 8 */
  readonly concurrency?: number;
  /** Limits for jobs that have the same `key`, over all processes. */
  readonly perKey?: KeyLimitOptions;
  /** How many jobs may start in a time, over all processes. */
  readonly rate?: RateOptions;
  /** How long a job belongs to a process that gives no sign of life. @default '30s' */
  readonly lockDuration?: Duration;
  /** How often somebody looks for jobs of processes that died. @default '15s' */
  readonly stalledInterval?: Duration;
  /** How often a job may be taken from a process that died before it is given up: it may be what kills them. @default 3 */
  readonly maxStalledCount?: number;
  /** The largest data of a job, as JSON in bytes. @default 1000000 */
  readonly maxDataBytes?: number;
  /** After how many jobs the one that waits longest among the least urgent goes first. @default 10 */
  readonly fairnessEvery?: number;
}

/** Limits per key; a job over them is tried again later and loses no attempt. */
export interface KeyLimitOptions {
  /** How many jobs of one key run at a time. */
  readonly concurrency?: number;
  /** How many jobs of one key start in a time. */
  readonly rate?: RateOptions;
}

/** So many in so long. */
export interface RateOptions {
  readonly max: number;
  readonly window: Duration;
}
