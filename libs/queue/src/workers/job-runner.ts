import { DelayedError, UnrecoverableError, type Job } from 'bullmq';
import { expiryOfJob, type StoredJobOptions } from '../jobs/job.check.js';
import { check } from '../jobs/standard-schema.js';
import type { ResolvedQueue } from '../queue.config.js';
import { JobExpiredError } from '../queue.errors.js';
import { inTime } from './in-time.js';
import { JobAbort } from './job-abort.js';
import { final, reasonOf, resultOf } from './job-ending.js';
import type { KeyGate } from './key-gate.js';
import type { QueueMetrics } from '../queue.metrics.js';
import type { RunningJobs } from './running-jobs.js';

/** What handles one job. */
export type JobBody = (job: Job, abort: JobAbort) => Promise<unknown>;

export interface JobRunnerParts {
  readonly running: RunningJobs;
  readonly metrics: QueueMetrics;
  readonly now: () => number;
  /** Undefined for a queue that Roost was not told of. */
  settingsOf(queue: string): ResolvedQueue | undefined;
  /** Who counts the jobs of a key, for a queue that has limits per key. */
  gateOf(queue: string): Promise<KeyGate>;
}

/** Everything about running a job that is not its handler: expiry, limits, the schema, the timeout, the shutdown. */
export class JobRunner {
  constructor(private readonly parts: JobRunnerParts) {}

  /** What BullMQ's worker calls. */
  async run(job: Job, token: string, body: JobBody): Promise<unknown> {
    const { running, metrics, now } = this.parts;
    const { timeoutMs, key } = (job.opts as StoredJobOptions).roost ?? {};
    const expiresAt = expiryOfJob(job);
    if (expiresAt !== undefined && now() > expiresAt) throw final(new JobExpiredError(expiresAt));
    const abort = new JobAbort();
    return running.run(job, token, abort, async () => {
      const release = key === undefined ? undefined : await this.#admit(job, token, key, abort);
      const endTimer = metrics.started(job, now());
      try {
        await this.#checkData(job);
        const late = (reason: Error) => abort.abort(reason);
        return resultOf(await inTime(timeoutMs, late, () => body(job, abort)));
      } catch (error) {
        throw reasonOf(error);
      } finally {
        endTimer();
        await release?.();
      }
    });
  }

  /** @throws DelayedError when others of its key come first: the job is tried again later, and has lost no attempt. */
  async #admit(job: Job, token: string, key: string, abort: JobAbort): Promise<(() => Promise<void>) | undefined> {
    const limits = this.parts.settingsOf(job.queueName)?.perKey;
    if (limits === undefined) return undefined;
    const gate = await this.parts.gateOf(job.queueName);
    const admission = await gate.enter(job, key, limits, (reason) => abort.abort(reason));
    if ('release' in admission) return () => admission.release();
    await job.moveToDelayed(this.parts.now() + spread(admission.retryAfterMs, job), token);
    gate.park(job, key);
    throw new DelayedError();
  }

  /** Data may have been stored by an older version, or by somebody else. */
  async #checkData(job: Job): Promise<void> {
    const schema = this.parts.settingsOf(job.queueName)?.jobs?.[job.name];
    if (schema === undefined || schema === true) return;
    const checked = await check(schema, job.data);
    if ('problems' in checked) throw new UnrecoverableError(checked.problems.join('; '));
    job.data = checked.value;
  }
}

/** Jobs that are told the same time would all ask again in one moment; who was refused often stays away for longer. */
function spread(ms: number, { attemptsStarted, attemptsMade }: Job): number {
  const refusals = Math.max(attemptsStarted - attemptsMade, 0);
  return Math.ceil(ms * (1 + Math.random() * Math.min(2 ** refusals, 8)));
}
