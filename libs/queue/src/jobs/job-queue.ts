import { show } from '@roost/redis';
import type { Job, Queue } from 'bullmq';
import type { ResolvedQueue } from '../queue.config.js';
import { objectIn } from '../options.check.js';
import { InvalidJobError, QueueUnavailableError } from '../queue.errors.js';
import { scheduleOf, type Schedule, type Timing } from '../schedules/timing.js';
import { DeadLetters } from './dead-letters.js';
import { within, type Ask } from './deadline.js';
import type { StoredJobOptions } from './job.check.js';
import type { JobDraft } from './job-draft.js';
import { JobDrafts } from './job-drafts.js';
import type { JobOptions } from './job.options.js';
import type { JobProducer } from './job-producer.js';
import { stateOf, type JobStatus } from './job-status.js';

const WAITING = { state: 'waiting' } as const;
const PENDING_WITHIN_MS = 500;
const LOOK_WITHIN_MS = 250;
const OF_ONE_JOB = ['id', 'delay', 'expiresAt'] as const satisfies readonly (keyof JobOptions)[];
const OF_NEW_JOB: ReadonlySet<string> = new Set(['name', 'data', 'options'] satisfies (keyof NewJob)[]);
/** What BullMQ's ids of jobs begin with that a schedule has added. */
const OF_SCHEDULE = 'repeat:';
/** More could not be stored within the time that a call has. */
const MOST_AT_ONCE = 5_000;

/** A job that was added, or was there already. */
export interface AddedJob {
  /** That of the job it is a duplicate of, where `deduplication` found one. */
  readonly id: string;
  /**
   * Whether a job with this id, or this `deduplication`, was known already: that one, with its own data, stays as it is.
   * Undefined when nobody can say: the store answers late, or the job waits for it.
   */
  readonly existed: boolean | undefined;
}

/** One job of {@link JobQueue.addAll}. */
export interface NewJob {
  readonly name: string;
  readonly data?: unknown;
  readonly options?: JobOptions;
}

/** Jobs that are yet to reach the store. */
export interface PendingJobs {
  has(queue: string, id: string): Promise<boolean>;
  /** Whether it was there. */
  remove(queue: string, id: string): Promise<boolean>;
}

/**
 * One queue: adds jobs and tells of them. Every call is answered within the `enqueueTimeout` of the module, whatever state
 * the store is in.
 * @example
 * constructor(@InjectJobs('emails') private readonly emails: JobQueue) {}
 * await this.emails.add('confirm', { bookingId }, { priority: 'low', delay: '5m' });
 */
export class JobQueue {
  /** Checks jobs without adding them. */
  readonly drafts: JobDrafts;
  readonly deadLetters: DeadLetters;
  readonly #queue: Queue;

  constructor(
    private readonly settings: ResolvedQueue,
    private readonly producer: JobProducer,
    private readonly pending: PendingJobs,
    private readonly ask: Ask,
    now: () => number,
  ) {
    this.#queue = producer.queue;
    this.drafts = new JobDrafts(settings, now);
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
    const draft = await this.drafts.draft(name, data, options);
    const placed = await this.producer.add([draft]);
    const isOne =
      options.id !== undefined || (options.deduplication ?? this.settings.defaults.deduplication) !== undefined;
    if (placed.in === 'outbox') return { id: draft.id, existed: isOne ? undefined : false };
    const id = placed.ids[0]!;
    if (options.id === undefined || id !== draft.id) return { id, existed: id !== draft.id };
    // The job is there: that nobody can say now whether it is another one must not look as if it were not.
    return { id, existed: await within(LOOK_WITHIN_MS, this.#isAnother(draft)).catch(() => undefined) };
  }

  /** Adds up to 5 000 jobs at once: none of them when one is refused. */
  async addAll(jobs: readonly NewJob[]): Promise<readonly { id: string }[]> {
    checkJobs(jobs);
    if (jobs.length === 0) return [];
    const drafts = await Promise.all(
      jobs.map(({ name, data = {}, options = {} }) => this.drafts.draft(name, data, options)),
    );
    const placed = await this.producer.add(drafts);
    return placed.in === 'store' ? placed.ids.map((id) => ({ id })) : drafts.map(({ id }) => ({ id }));
  }

  /**
   * Adds a job at each time of a cron expression, or every so often: once, however many processes there are. The same `id`
   * replaces what it was before.
   * @param when cron with five or six fields, in UTC unless `timezone` says otherwise; or `{ every: '10s' }`.
   * @throws InvalidJobError for an expression or a time zone that does not exist, and for times that never come.
   */
  async schedule(
    id: string,
    when: string | Timing,
    name: string,
    data: unknown = {},
    options: JobOptions & Pick<Timing, 'timezone'> = {},
  ): Promise<void> {
    const { timezone, ...jobOptions } = (options as typeof options | null) ?? {};
    const problems = OF_ONE_JOB.filter((each) => jobOptions[each] !== undefined).map(
      (each) => `Expected a schedule without \`${each}\`, which is one job's own`,
    );
    const schedule = scheduleOf(id, when, timezone, problems);
    const { data: sent, options: opts } = await this.drafts.template(name, data, jobOptions);
    await this.ask(() => this.#queue.upsertJobScheduler(id, schedule, { name, data: sent, opts }));
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
    if (id.startsWith(OF_SCHEDULE)) throw new InvalidJobError([`${show(id)} is of a schedule: use \`unschedule\``]);
    // The answer to removing a job that is not there is that of one that was.
    if ((await this.ask(() => this.#queue.getJobState(id))) === 'unknown') {
      return this.ask(() => this.pending.remove(this.name, id));
    }
    return (await this.ask(() => this.#queue.remove(id))) === 1;
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

function checkJobs(jobs: readonly NewJob[]): void {
  const problems: string[] = [];
  if (!Array.isArray(jobs)) problems.push(`Expected a list of jobs, got ${show(jobs)}`);
  else if (jobs.length > MOST_AT_ONCE) {
    problems.push(`Expected at most ${MOST_AT_ONCE} jobs at once, got ${jobs.length}`);
  } else jobs.forEach((job: NewJob, index) => objectIn(`jobs[${index}]`, job, OF_NEW_JOB, problems));
  if (problems.length > 0) throw new InvalidJobError(problems);
}

function nonceOf(options: StoredJobOptions): string | undefined {
  return options.roost?.nonce;
}
