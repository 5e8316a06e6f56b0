import { show } from '@roost/redis';
import type { Job, Queue } from 'bullmq';
import { randomUUID } from 'node:crypto';
import type { ResolvedQueue } from '../queue.config.js';
import { InvalidJobError, QueueUnavailableError } from '../queue.errors.js';
import { scheduleOf, type Schedule, type Timing } from '../schedules/timing.js';
import { DeadLetters } from './dead-letters.js';
import { within, type Ask } from './deadline.js';
import { areTimeless, storedOptions, type StoredJobOptions } from './job.check.js';
import { jsonOf } from './job-data.js';
import type { JobDraft } from './job-draft.js';
import type { JobOptions } from './job.options.js';
import type { JobProducer } from './job-producer.js';
import { stateOf, type JobStatus } from './job-status.js';
import { check } from './standard-schema.js';

const WAITING = { state: 'waiting' } as const;
const PENDING_WITHIN_MS = 500;
const LOOK_WITHIN_MS = 250;

/** A job that was added, or was there already. */
export interface AddedJob {
  readonly id: string;
  /** Whether a job with this id was known already: that one, with its own data, stays as it is. */
  readonly existed: boolean;
}

/** One job of {@link JobQueue.addAll}. */
export interface NewJob {
  readonly name: string;
  readonly data?: unknown;
  readonly options?: JobOptions;
}

/** Finds a job that is yet to reach the store. */
export interface PendingJobs {
  has(queue: string, id: string): Promise<boolean>;
}

/**
 * One queue: adds jobs and tells of them. Every call is answered within the `enqueueTimeout` of the module, whatever state
 * the store is in.
 * @example
 * constructor(@InjectJobs('emails') private readonly emails: JobQueue) {}
 * await this.emails.add('confirm', { bookingId }, { priority: 'low', delay: '5m' });
 */
export class JobQueue {
  readonly deadLetters: DeadLetters;
  readonly #queue: Queue;
  /** Those of most jobs, made once. */
  readonly #defaults: StoredJobOptions | undefined;

  constructor(
    private readonly settings: ResolvedQueue,
    private readonly producer: JobProducer,
    private readonly pending: PendingJobs,
    private readonly ask: Ask,
    private readonly now: () => number,
  ) {
    this.#queue = producer.queue;
    this.#defaults = areTimeless(settings.defaults) ? storedOptions(settings.defaults, 0) : undefined;
    this.deadLetters = new DeadLetters(this.#queue, ask);
  }

  get name(): string {
    return this.settings.name;
  }

  /**
   * Adds a job. While Redis cannot be reached it waits in the outbox, where there is a database.
   * @throws QueueUnavailableError when it could not be added in time; UnknownJobOptionError, InvalidJobError,
   * NonSerializableError and JobTooLargeError for what cannot be meant, before anything was sent.
   */
  async add(name: string, data: unknown = {}, options: JobOptions = {}): Promise<AddedJob> {
    const draft = await this.draft(name, data, options);
    const placed = await this.producer.add([draft]);
    const asks = options.id !== undefined && placed === 'store';
    // The job is there: that nobody can say now whether it is another one must not look as if it were not.
    const existed = asks && (await within(LOOK_WITHIN_MS, this.#isAnother(draft)).catch(() => false));
    return { id: draft.id, existed };
  }

  /** Adds several jobs at once: none of them when one is refused. */
  async addAll(jobs: readonly NewJob[]): Promise<readonly { id: string }[]> {
    if (jobs.length === 0) return [];
    const drafts = await Promise.all(jobs.map(({ name, data = {}, options = {} }) => this.draft(name, data, options)));
    await this.producer.add(drafts);
    return drafts.map(({ id }) => ({ id }));
  }

  /**
   * Adds a job at each time of a cron expression, or every so often: once, however many processes there are. The same `id`
   * replaces what it was before.
   * @param cron five or six fields, in UTC unless `timezone` says otherwise; or `{ every: '10s' }`.
   * @throws InvalidJobError for an expression or a time zone that does not exist, and for times that never come.
   */
  async schedule(
    id: string,
    cron: string | Timing,
    name: string,
    data: unknown = {},
    options: JobOptions & Pick<Timing, 'timezone'> = {},
  ): Promise<void> {
    const { timezone, ...jobOptions } = options;
    const timing = typeof cron === 'string' ? { cron, ...(timezone !== undefined && { timezone }) } : cron;
    const schedule = scheduleOf(id, timing);
    const { options: opts, data: checked } = await this.draft(name, data, jobOptions, 'schedule');
    const { jobId: _own, ...template } = opts;
    await this.ask(() => this.#queue.upsertJobScheduler(id, schedule, { name, data: checked, opts: template }));
  }

  /** Whether there was such a schedule. */
  async unschedule(id: string): Promise<boolean> {
    return this.ask(() => this.#queue.removeJobScheduler(id));
  }

  async schedules(): Promise<readonly Schedule[]> {
    const found = await this.ask(() => this.#queue.getJobSchedulers(0, -1, true));
    return found.map(({ key, name, pattern, every, tz, next, template }) => ({
      id: key,
      name,
      ...(pattern !== undefined && { cron: pattern, timezone: tz ?? 'UTC' }),
      ...(every !== undefined && { everyMs: Number(every) }),
      ...(next !== undefined && { nextAt: new Date(next) }),
      data: template?.data as unknown,
    }));
  }

  /** How a job is doing. */
  async status<Result = unknown>(id: string): Promise<JobStatus<Result>> {
    const stored = await this.#statusInStore<Result>(id).catch(async (error: unknown) => {
      // What waits for a store that is lost is known all the same.
      if (error instanceof QueueUnavailableError && (await this.#isPending(id))) return WAITING;
      throw error;
    });
    if (stored !== undefined) return stored;
    if (await this.ask(() => this.pending.has(this.name, id))) return WAITING;
    // It may have gone from the outbox to the store since the first look.
    return (await this.#statusInStore<Result>(id)) ?? { state: 'unknown' };
  }

  /** What the handler returned; undefined while there is nothing, or nothing any more. */
  async result<Result = unknown>(id: string): Promise<Result | undefined> {
    return (await this.status<Result>(id)).result;
  }

  /** Takes a job that does not run yet, or is done, out of the queue. Whether it was there. */
  async remove(id: string): Promise<boolean> {
    return (await this.ask(() => this.#queue.remove(id))) === 1;
  }

  /** A checked job, with the defaults of the queue; used by the outbox as well. */
  async draft(
    name: string,
    data: unknown,
    options: JobOptions,
    purpose: 'job' | 'schedule' = 'job',
  ): Promise<JobDraft> {
    const { jobs, maxDataBytes } = this.settings;
    if (typeof name !== 'string' || name === '') throw new InvalidJobError([`Expected a name, got ${show(name)}`]);
    const schema = jobs?.[name];
    if (jobs !== undefined && (schema === undefined || !Object.hasOwn(jobs, name))) {
      throw new InvalidJobError([`There is no job ${show(name)}; there are ${Object.keys(jobs).join(', ')}`]);
    }
    const stored = this.#storedOptions(options);
    if (schema !== undefined && schema !== true) {
      const checked = await check(schema, data);
      if ('problems' in checked) throw new InvalidJobError(checked.problems);
    }
    const id = options.id ?? randomUUID();
    const opts: StoredJobOptions = {
      ...stored,
      ...(purpose === 'job' && { jobId: id }),
      ...(options.id !== undefined && { roost: { ...stored.roost, nonce: randomUUID() } }),
    };
    return { queue: this.name, id, name, data: jsonOf(data, maxDataBytes), options: opts };
  }

  #storedOptions(options: JobOptions): StoredJobOptions {
    if (this.#defaults !== undefined && Object.keys(options).length === 0) return this.#defaults;
    return storedOptions({ ...this.settings.defaults, ...options }, this.now());
  }

  async #isAnother({ id, options }: JobDraft): Promise<boolean> {
    const found = await this.#find(id);
    return found !== undefined && nonceOf(found.opts) !== nonceOf(options);
  }

  #isPending(id: string): Promise<boolean> {
    return within(PENDING_WITHIN_MS, this.pending.has(this.name, id)).catch(() => false);
  }

  async #statusInStore<Result>(id: string): Promise<JobStatus<Result> | undefined> {
    // In this order: what is done is read after it was done, with its result.
    const state = stateOf(await this.ask(() => this.#queue.getJobState(id)));
    const job = state === 'unknown' ? undefined : await this.#find(id);
    if (job === undefined) return undefined;
    return {
      state,
      ...(state === 'completed' && { result: job.returnvalue as Result }),
      ...(job.failedReason !== undefined && { failedReason: job.failedReason }),
      attemptsMade: job.attemptsMade,
      progress: job.progress,
    };
  }

  async #find(id: string): Promise<Job | undefined> {
    return this.ask(() => this.#queue.getJob(id));
  }
}

function nonceOf(options: StoredJobOptions): string | undefined {
  return options.roost?.nonce;
}
