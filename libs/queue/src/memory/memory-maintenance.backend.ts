import { ErrorCode, type JobProgress, type JobsOptions, type MinimalJob, type RepeatableOptions } from 'bullmq';
import { jobFailure } from './job.failure.js';
import { MemoryReadsBackend } from './memory-reads.backend.js';
import { clean, drain, isBusy, obliterate, removeChildren, removeFromAnyState, removeOrphans } from './removing.js';
import { isCurrentIteration } from './iterations.js';
import { advanceScheduler, removeScheduler, upsertScheduler } from './scheduling.js';
import { detachFromParent } from './flows.js';
import type { MemoryJob } from './memory-job.js';

/** What changes a queue or its jobs beside their way through it. */
export abstract class MemoryMaintenanceBackend extends MemoryReadsBackend {
  async updateData<T, R, N extends string>(job: MinimalJob<T, R, N>, data: T): Promise<void> {
    this.#job(job.id!, 'updateData').data = JSON.stringify(data);
  }

  async updateProgress(jobId: string, progress: JobProgress): Promise<void> {
    const job = this.#job(jobId, 'updateProgress');
    job.progress = JSON.stringify(progress);
    this.queue.emit('progress', { jobId, data: job.progress });
  }

  async addLog(jobId: string, row: string, keepLogs?: number): Promise<number> {
    const job = this.#job(jobId, 'addLog');
    job.logs.push(row);
    if (keepLogs) job.logs = job.logs.slice(-keepLogs);
    return job.logs.length;
  }

  async clearLogs(jobId: string, keepLogs?: number): Promise<void> {
    const job = this.queue.jobs.get(jobId);
    if (job) job.logs = keepLogs ? job.logs.slice(-keepLogs) : [];
  }

  async remove(jobId: string, children: boolean): Promise<number> {
    const { queue } = this;
    if (isCurrentIteration(queue, jobId)) {
      throw jobFailure(ErrorCode.JobBelongsToJobScheduler, { command: 'removeJob', jobId });
    }
    if (isBusy(queue, jobId, children)) return 0;
    removeFromAnyState(queue, jobId, { children });
    return 1;
  }

  async removeUnprocessedChildren(jobId: string): Promise<void> {
    const { queue } = this;
    const job = queue.jobs.get(jobId);
    if (job) removeChildren(queue, job, { children: true, onlyUnprocessed: true });
  }

  async removeChildDependency(jobId: string, parentKey: string | undefined): Promise<boolean> {
    const failed = { command: 'removeChildDependency', jobId, parentKey };
    const { queue } = this;
    const job = this.#job(jobId, failed.command);
    if (!parentKey || !queue.queues.job(parentKey)) throw jobFailure(ErrorCode.ParentJobNotExist, failed);
    if (!detachFromParent(queue.queues, job, { parentKey })) return false;
    job.parentKey = undefined;
    job.parent = undefined;
    return true;
  }

  async removeDeduplicationKey(deduplicationId: string, jobId: string): Promise<number> {
    const { deduplications } = this.queue;
    return Number(deduplications.holder(deduplicationId) === jobId && deduplications.release(deduplicationId));
  }

  async deleteDeduplicationKey(deduplicationId: string): Promise<number> {
    return Number(this.queue.deduplications.release(deduplicationId));
  }

  async addJobScheduler(
    id: string,
    nextMillis: number,
    data: string,
    template: JobsOptions,
    options: RepeatableOptions,
    job: JobsOptions,
  ): Promise<[string, number]> {
    const added = upsertScheduler(this.queue, { id, nextMillis, data, template, options, job });
    if (typeof added === 'number') throw jobFailure(added, { command: 'addJobScheduler' });
    return added;
  }

  async updateJobSchedulerNextMillis(
    id: string,
    nextMillis: number,
    _data: string,
    job: JobsOptions,
    producerId?: string,
  ): Promise<string | null> {
    return advanceScheduler(this.queue, id, { nextMillis, job, producerId }) ?? null;
  }

  async removeJobScheduler(id: string): Promise<number> {
    return Number(!removeScheduler(this.queue, id));
  }

  async pause(pause: boolean): Promise<void> {
    const { queue } = this;
    if (pause) queue.meta.set('paused', '1');
    else queue.meta.delete('paused');
    queue.emit(pause ? 'paused' : 'resumed');
    queue.waiters.check();
  }

  async drain(delayed: boolean): Promise<void> {
    drain(this.queue, delayed);
  }

  /** The time comes from a Queue, which has reckoned it by Date.now(). */
  async cleanJobsByState(state: string, until: number, limit = 0): Promise<string[]> {
    const { queue } = this;
    return clean(queue, state, until + queue.clock.now() - Date.now(), limit);
  }

  async obliterate({ force }: { force: boolean; count: number }): Promise<number> {
    const { queue } = this;
    if (!queue.paused) throw new Error('Cannot obliterate non-paused queue');
    if (queue.active.size > 0 && !force) throw new Error('Cannot obliterate queue with active jobs');
    obliterate(queue);
    return 0;
  }

  async removeOrphanedJobs(_count?: number, limit = 0): Promise<number> {
    return removeOrphans(this.queue, limit);
  }

  async setQueueMeta(values: Record<string, string | number>): Promise<number> {
    const { meta, waiters } = this.queue;
    const added = Object.keys(values).filter((field) => !meta.has(field)).length;
    for (const [field, value] of Object.entries(values)) meta.set(field, `${value}`);
    waiters.check();
    return added;
  }

  async removeQueueMetaFields(fields: string[]): Promise<number> {
    const { meta, waiters } = this.queue;
    const removed = fields.filter((field) => meta.delete(field)).length;
    waiters.check();
    return removed;
  }

  async setRateLimit(expireTimeMs: number): Promise<void> {
    this.queue.limiter.block(expireTimeMs);
  }

  async removeRateLimitKey(): Promise<number> {
    const { limiter, waiters } = this.queue;
    const removed = limiter.clear();
    waiters.check();
    return Number(removed);
  }

  async removeDeprecatedPriorityKey(): Promise<number> {
    return 0;
  }

  async trimEvents(maxLength: number): Promise<number> {
    return this.queue.events.trim(maxLength);
  }

  async publishEvent(fields: Record<string, string | number>, maxEvents: number): Promise<string> {
    return this.queue.events.append(fields, maxEvents);
  }

  #job(jobId: string, command: string): MemoryJob {
    const job = this.queue.jobs.get(jobId);
    if (!job) throw jobFailure(ErrorCode.JobNotExist, { command, jobId });
    return job;
  }
}
