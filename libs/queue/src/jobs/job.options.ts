import type { Duration } from '@roost/redis';

/** How a job is added; what is not given is the queue's, then the module's, then {@link JOB_DEFAULTS}. */
export interface JobOptions {
  /**
   * By which adding the job again adds nothing, for as long as the first one is known: while it waits and runs, and then
   * for `keepResult`. Up to 256 characters, not all digits, without colons; not among defaults. @default a random one
   */
  readonly id?: string;
  /**
   * Which job goes first: 0 before 1, up to 2097151; `high` is 0, `normal` 10, `low` 100. A job without one is as urgent
   * as `high`. The least urgent are not starved: see `fairnessEvery`. @default 0
   */
  readonly priority?: number | 'high' | 'normal' | 'low';
  /** Before those of the same priority that wait already. @default false */
  readonly lifo?: boolean;
  /** How long until the job may start, or when. */
  readonly delay?: Duration | Date;
  /** How often the job is started before it counts as failed. @default 3 */
  readonly attempts?: number;
  /** How long until the next attempt. @default { type: 'exponential', delay: '60s' } */
  readonly backoff?: Duration | BackoffOptions;
  /** How long one attempt may take: its signal is aborted then, and the attempt has failed. @default no limit */
  readonly timeout?: Duration;
  /** When it is too late to start. Such a job fails without a handler having seen it. Not among defaults. */
  readonly expiresAt?: Date;
  /** The same, from when it could start: when it was added, after its `delay`, or when its schedule adds it. */
  readonly expiresIn?: Duration;
  /** What the limits `perKey` of the queue count by, such as a customer. */
  readonly key?: string;
  /** Adds nothing while another job with the same `deduplication.id` is known. */
  readonly deduplication?: DeduplicationOptions;
  /**
   * How long the job is kept after it was done, with its result; 0 not at all. BullMQ clears the whole queue by the age that
   * the job has which is done just now: where jobs of one queue differ, the shortest counts for all. @default '24h'
   */
  readonly keepResult?: Duration;
  /** How long it is kept among the dead letters after it failed for good; the shortest of a queue counts. @default '14d' */
  readonly keepFailed?: Duration;
}

/** `delay` after the first failure; `exponential` doubles it after each further one. */
export interface BackoffOptions {
  readonly type: 'fixed' | 'exponential';
  readonly delay: Duration;
  /** The share of the delay that is left to chance, 0 to 1, so that jobs that failed together do not come back together. @default 0 */
  readonly jitter?: number;
}

/** Which jobs count as the same. */
export interface DeduplicationOptions {
  readonly id: string;
  /** For how long others are refused, whatever becomes of the job. @default until it is done */
  readonly ttl?: Duration;
  /** Whether each refused job extends the `ttl`. @default false */
  readonly extend?: boolean;
  /** Whether the data of the newest replaces that of a job that is still delayed. @default false */
  readonly replace?: boolean;
  /** Whether the newest is kept, and added when the job that runs is done. @default false */
  readonly keepLastIfActive?: boolean;
}

/** Three attempts, 60 s and 120 s apart; results for a day, dead letters for two weeks. */
export const JOB_DEFAULTS = {
  attempts: 3,
  backoff: { type: 'exponential', delay: '60s' },
  keepResult: '24h',
  keepFailed: '14d',
} as const satisfies JobOptions;
