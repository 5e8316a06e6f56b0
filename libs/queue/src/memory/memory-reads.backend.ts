import type { DependenciesOpts, JobJson, JobState, JobType } from 'bullmq';
import { countDependencies, dependenciesOf, paginate, type Dependencies, type Page } from './dependencies.js';
import { jsonOf } from './memory-job.js';
import { MemoryBackend } from './memory.backend.js';
import { slice } from './sorted-ids.js';

const STATES = ['completed', 'failed', 'delayed', 'prioritized', 'active', 'waiting', 'waiting-children'] as const;

const LISTS: readonly string[] = ['wait', 'waiting', 'active'];

/** What can be asked of a queue. */
export abstract class MemoryReadsBackend extends MemoryBackend {
  async getJobData(jobId: string): Promise<JobJson | undefined> {
    const job = this.queue.jobs.get(jobId);
    return job && jsonOf(job);
  }

  async getState(jobId: string): Promise<JobState | 'unknown'> {
    const { queue } = this;
    return STATES.find((state) => queue.inState(state)!.has(jobId)) ?? 'unknown';
  }

  async isJobInState(state: string, jobId: string): Promise<boolean> {
    const line = this.queue.inState(state);
    if (line) return line.has(jobId);
    if (state === 'paused') return false;
    throw new Error(`Unknown job state: ${state}`);
  }

  async isFinished(jobId: string, returnValue = false): Promise<number | [number, string]> {
    const { queue } = this;
    const job = queue.jobs.get(jobId);
    if (!job) return returnValue ? [-1, `Missing key for job ${queue.keyOf(jobId)}. isFinished`] : -1;
    const code = queue.completed.has(jobId) ? 1 : queue.failed.has(jobId) ? 2 : 0;
    if (!returnValue) return code;
    return [code, (code === 1 ? job.returnvalue : job.failedReason) as string];
  }

  async isMaxed(): Promise<boolean> {
    return this.queue.maxed;
  }

  async getCounts(types: JobType[], delayedBefore?: number): Promise<number[]> {
    const { queue } = this;
    return types.map((type) => {
      if (type === 'delayed' && delayedBefore !== undefined) return queue.delayed.within(0, delayedBefore - 1).length;
      return queue.inState(type)?.size ?? 0;
    });
  }

  async getCountsPerPriority(priorities: number[]): Promise<number[]> {
    const { wait, prioritized } = this.queue;
    return priorities.map((priority) => (priority === 0 ? wait.size : prioritized.within(priority, priority).length));
  }

  /** Lists in ascending order come back to front, as BullMQ's Queue turns them round. */
  async getRanges(types: JobType[], start = 0, end = 1, asc = false): Promise<[string][]> {
    const { queue } = this;
    const ranges = types.map((type) => {
      const line = queue.inState(type);
      if (!asc) return line?.sliceReversed(start, end) ?? [];
      const ids = line?.slice(start, end) ?? [];
      return LISTS.includes(type) ? ids.toReversed() : ids;
    });
    return ranges as [string][];
  }

  async getJobLogs(
    jobId: string,
    start: number,
    end: number,
    asc: boolean,
  ): Promise<{ logs: string[]; count: number }> {
    const logs = this.queue.jobs.get(jobId)?.logs ?? [];
    return { logs: slice(asc ? logs : logs.toReversed(), start, end), count: logs.length };
  }

  async getDependencies(jobId: string, wanted: DependenciesOpts = {}): Promise<Dependencies> {
    return dependenciesOf(this.queue.jobs.get(jobId), wanted);
  }

  async getDependencyCounts(jobId: string, types: string[]): Promise<number[]> {
    return countDependencies(this.queue.jobs.get(jobId), types);
  }

  async getProcessedChildrenValues(jobId: string): Promise<Record<string, string>> {
    return Object.fromEntries(this.queue.jobs.get(jobId)?.processed ?? []);
  }

  async getIgnoredChildrenFailures(jobId: string): Promise<Record<string, string>> {
    return Object.fromEntries(this.queue.jobs.get(jobId)?.ignored ?? []);
  }

  async paginate(key: string, range: { start: number; end: number; fetchJobs?: boolean }): Promise<Page> {
    return paginate(this.queue.queues, key, range);
  }

  async getDeduplicationJobId(deduplicationId: string): Promise<string | null> {
    return this.queue.deduplications.holder(deduplicationId) ?? null;
  }

  async getRateLimitTtl(maxJobs?: number): Promise<number> {
    const { limiter, meta } = this.queue;
    const max = maxJobs || Number(meta.get('max') ?? 0);
    return max ? limiter.waitMs(max) : limiter.ttlMs;
  }

  async getMetrics(type: 'completed' | 'failed', start = 0, end = -1): Promise<[string[], string[], number]> {
    return this.queue.metrics[type].read(start, end);
  }

  async getJobScheduler(id: string): Promise<[unknown, string | null]> {
    const { schedulers, schedules } = this.queue;
    const fields = schedulers.get(id);
    return [fields ? Object.entries(fields).flat() : null, fields ? `${schedules.scoreOf(id)}` : null];
  }

  async isJobScheduler(id: string): Promise<boolean> {
    return this.queue.schedulers.has(id);
  }

  async getJobSchedulerData(id: string): Promise<Record<string, string>> {
    return { ...this.queue.schedulers.get(id) };
  }

  async getJobSchedulersRange(start: number, end: number, asc: boolean): Promise<string[]> {
    const { schedules } = this.queue;
    const ids = asc ? schedules.slice(start, end) : schedules.sliceReversed(start, end);
    return ids.flatMap((id) => [id, `${schedules.scoreOf(id)}`]);
  }

  async getJobSchedulersCount(): Promise<number> {
    return this.queue.schedules.size;
  }

  async getQueueMetaField(field: string): Promise<string | null> {
    return this.queue.meta.get(field) ?? null;
  }

  async getQueueMetaFields(fields: string[]): Promise<(string | null)[]> {
    const { meta } = this.queue;
    return fields.map((field) => meta.get(field) ?? null);
  }

  async getQueueMeta(): Promise<Record<string, string>> {
    return Object.fromEntries(this.queue.meta);
  }

  async hasQueueMetaField(field: string): Promise<boolean> {
    return this.queue.meta.has(field);
  }
}
