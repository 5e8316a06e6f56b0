import {
  ErrorCode,
  type IQueueBackend,
  type JobJson,
  type KeepJobs,
  type MinimalJob,
  type MoveToDelayedOpts,
  type MoveToWaitingChildrenOpts,
  type ParentKeyOpts,
  type RetryJobOpts,
  type RetryOptions,
} from 'bullmq';
import { addFlow, addJob } from './adding.js';
import { finishJob, tellDrained, type JobEnd } from './finishing.js';
import { jobFailure } from './job.failure.js';
import { MemoryMaintenanceBackend } from './memory-maintenance.backend.js';
import * as returning from './returning.js';
import { recoverStalled } from './stalled.js';
import { extendLock, hasNothingToTake, takeJob, taken } from './taking.js';
import { keptJobs, takerOf, type Taker } from './worker.settings.js';

interface FlowEntry {
  readonly jobData: JobJson;
  readonly jobId: string;
  readonly parentKeyOpts: ParentKeyOpts;
  readonly prefix: string;
  readonly queueName: string;
}

type Fields = Record<string, unknown>;
type Kept = boolean | number | KeepJobs;
type Finished = { result: void | unknown[]; finishedOn: number };

/** BullMQ in this process, with the behaviour of its Redis backend: the way of jobs through a queue. */
export class MemoryQueueBackend extends MemoryMaintenanceBackend implements IQueueBackend {
  forQueue(name: string, prefix = this.options.prefix): MemoryQueueBackend {
    return new MemoryQueueBackend({ queues: this.queues, name, options: { ...this.options, prefix } }, this);
  }

  async addJob(job: JobJson, jobId: string, parentKeyOpts?: ParentKeyOpts): Promise<string> {
    const added = addJob(this.queue, { job, jobId, parentKeyOpts });
    if (typeof added === 'string') return added;
    throw jobFailure(added, { command: 'addJob', parentKey: parentKeyOpts?.parentKey });
  }

  async addJobs(entries: { job: JobJson; jobId: string; parentKeyOpts?: ParentKeyOpts }[]): Promise<string[]> {
    const { queue } = this;
    return entries.map((entry) => addJob(queue, entry) as string); // codes in the place of ids, as on Redis
  }

  async addFlow(entries: FlowEntry[]): Promise<[Error | null, string | number][]> {
    const { queues } = this.queue;
    const located = entries.map(({ jobData, jobId, parentKeyOpts, prefix, queueName }) => {
      return { queue: this.queues.at(`${prefix}:${queueName}`), job: jobData, jobId, parentKeyOpts };
    });
    return addFlow(queues, located).map((result) => [null, result]);
  }

  async moveToActive(token: string, name?: string): Promise<unknown[]> {
    if (this.queues.closed) await this.blocked<never>(() => () => undefined);
    return this.closing ? [] : taken(this.#take(takerOf(this.options, token, name)));
  }

  async moveToCompleted<T, R, N extends string>(
    job: MinimalJob<T, R, N>,
    returnValue: R,
    removeOnComplete: Kept,
    token: string,
    fetchNext: boolean,
  ): Promise<Finished> {
    const value = JSON.stringify(returnValue) as string | undefined;
    const kept = keptJobs(removeOnComplete, this.options.removeOnComplete);
    return this.#finish(job, { state: 'completed', value: value ?? 'null', token, kept }, fetchNext);
  }

  async moveToFailed<T, R, N extends string>(
    job: MinimalJob<T, R, N>,
    failedReason: string,
    removeOnFail: Kept,
    token: string,
    fetchNext: boolean,
    fields?: Fields,
  ): Promise<Finished> {
    const kept = keptJobs(removeOnFail, this.options.removeOnFail);
    const value = (failedReason as string | undefined) ?? 'null';
    return this.#finish(job, { state: 'failed', value, token, kept, fields }, fetchNext);
  }

  /** When it was moved there is read off the clock of the queue, not off that of BullMQ. */
  async moveToDelayed(
    jobId: string,
    _timestamp: number,
    delayMs: number,
    token = '0',
    { skipAttempt, fieldsToUpdate, fetchNext }: MoveToDelayedOpts = {},
  ): Promise<void | unknown[]> {
    const { queue } = this;
    const outcome = returning.delayRunning(queue, jobId, { delayMs, token, skipAttempt, fields: fieldsToUpdate });
    this.#check(outcome, { command: 'moveToDelayed', jobId, state: 'active' });
    const next = fetchNext ? this.#take(takerOf(this.options, token)) : undefined;
    queue.waiters.check();
    return next ? taken(next) : [];
  }

  async moveToWaitingChildren(jobId: string, token: string, { child }: MoveToWaitingChildrenOpts = {}) {
    const { queue } = this;
    const key = child && `${child.queue}:${child.id}`;
    const moved = returning.awaitChildren(queue, jobId, { token, child: key });
    queue.waiters.check();
    if (typeof moved === 'boolean') return moved;
    throw jobFailure(moved, { command: 'moveToWaitingChildren', jobId, state: 'active' });
  }

  /** Zero: for how long the queue is limited is not asked of the Worker, which reckons by Date.now(). */
  async moveJobFromActiveToWait(jobId: string, token = '0'): Promise<number> {
    const command = 'moveJobFromActiveToWait';
    this.#check(returning.giveBack(this.queue, jobId, token), { command, jobId, state: 'active' });
    return 0;
  }

  async retryJob(jobId: string, lifo: boolean, token = '0', { fieldsToUpdate }: RetryJobOpts = {}): Promise<void> {
    const outcome = returning.retryRunning(this.queue, jobId, { lifo, token, fields: fieldsToUpdate });
    this.#check(outcome, { command: 'retryJob', jobId, state: 'active' });
  }

  async retryFinishedJob<T, R, N extends string>(
    job: MinimalJob<T, R, N>,
    state: 'completed' | 'failed',
    options: RetryOptions = {},
  ): Promise<void> {
    const outcome = returning.runAgain(this.queue, job.id!, state, { lifo: job.opts.lifo, ...options });
    this.#check(outcome, { command: 'reprocessJob', jobId: job.id, state });
  }

  async retryFinishedJobs(state: 'completed' | 'failed' = 'failed', count = 1_000, timestamp?: number) {
    const { queue } = this;
    return Number(returning.moveAllToWait(queue, state, { count, until: timestamp ?? queue.clock.now() }));
  }

  async promoteJobs(count = 1_000): Promise<number> {
    return Number(returning.moveAllToWait(this.queue, 'delayed', { count, until: Infinity }));
  }

  async promote(jobId: string): Promise<void> {
    this.#check(returning.promote(this.queue, jobId), { command: 'promote', jobId, state: 'delayed' });
  }

  async changeDelay(jobId: string, delay: number): Promise<void> {
    const outcome = returning.changeDelay(this.queue, jobId, delay);
    this.#check(outcome, { command: 'changeDelay', jobId, state: 'delayed' });
  }

  async changePriority(jobId: string, priority = 0, lifo = false): Promise<void> {
    this.#check(returning.changePriority(this.queue, jobId, priority, lifo), { command: 'changePriority', jobId });
  }

  async moveStalledJobsToWait(): Promise<string[]> {
    const { maxStalledCount = 1, stalledInterval = 30_000 } = this.options;
    return recoverStalled(this.queue, maxStalledCount, stalledInterval);
  }

  async extendLock(jobId: string, token: string, duration: number): Promise<number> {
    return Number(extendLock(this.queue, jobId, token, duration));
  }

  async extendLocks(jobIds: string[], tokens: string[], duration: number): Promise<string[]> {
    const { queue } = this;
    return jobIds.filter((jobId, i) => !extendLock(queue, jobId, tokens[i]!, duration));
  }

  #finish(job: MinimalJob, end: Omit<JobEnd, 'attempts' | 'maxMetrics'>, fetchNext: boolean): Finished {
    const { queue } = this;
    const finishedOn = queue.clock.now();
    const maxMetrics = this.options.metrics?.maxDataPoints;
    const outcome = finishJob(queue, job.id!, { ...end, attempts: job.opts.attempts, maxMetrics });
    this.#check(outcome, { command: 'moveToFinished', jobId: job.id, state: 'active' });
    const taker = takerOf(this.options, end.token);
    const next = fetchNext ? this.#take(taker) : undefined;
    const idle = !next && (!fetchNext || hasNothingToTake(queue, taker));
    if (idle) tellDrained(queue);
    queue.waiters.check();
    return { result: idle ? [] : taken(next), finishedOn };
  }

  #take(taker: Taker) {
    const { queue } = this;
    const job = takeJob(queue, taker);
    queue.waiters.check();
    return job;
  }

  #check(outcome: ErrorCode | undefined, failed: Parameters<typeof jobFailure>[1]): void {
    if (outcome !== undefined) throw jobFailure(outcome, failed);
  }
}
