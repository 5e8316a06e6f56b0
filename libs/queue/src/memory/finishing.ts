import { ErrorCode } from 'bullmq';
import { endDeduplication } from './deduplicating.js';
import { detachFromParent, endChild, failChild } from './flows.js';
import { updateFields, type MemoryJob } from './memory-job.js';
import type { MemoryQueue } from './memory-queue.js';
import { removeJob } from './removing.js';
import { unlock } from './taking.js';
import type { KeptJobs } from './worker.settings.js';

/** How a job has ended. */
export interface JobEnd {
  readonly state: 'completed' | 'failed';
  /** JSON of the result, or the reason of the failure. */
  readonly value: string;
  readonly token: string;
  readonly kept: KeptJobs;
  readonly attempts: number | undefined;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly maxMetrics?: number;
}

const AGED_AT_ONCE = 1_000;

/** Ends a job that runs; a code when it cannot be ended, and then nothing has happened. */
export function finishJob(queue: MemoryQueue, jobId: string, end: JobEnd): ErrorCode | undefined {
  const job = queue.jobs.get(jobId);
  if (!job) return ErrorCode.JobNotExist;
  if (end.state === 'completed') {
    if (job.pending.size > 0) return ErrorCode.JobPendingChildren;
    if (job.unsuccessful.size > 0) return ErrorCode.JobHasFailedChildren;
  }
  const refused = unlock(queue, job, end.token);
  if (refused !== undefined) return refused;
  if (!queue.active.remove(jobId)) return ErrorCode.JobNotInState;
  updateFields(job, end.fields);
  endDeduplication(queue, job);
  if (end.state === 'completed') endChild(queue.queues, job, end.value);
  else failChild(queue.queues, job, end.value);
  job.attemptsMade++;
  keep(queue, job, end);
  tell(queue, job, end);
  if (end.maxMetrics) queue.metrics[end.state].count(queue.clock.now(), end.maxMetrics);
  return undefined;
}

/** Tells that nothing is left to do, when that is so. */
export function tellDrained(queue: MemoryQueue): void {
  if (queue.wait.size + queue.active.size + queue.prioritized.size === 0) queue.emit('drained');
}

function keep(queue: MemoryQueue, job: MemoryJob, { state, value, kept }: JobEnd): void {
  if (kept.count === 0) {
    queue.jobs.delete(job.id);
    detachFromParent(queue.queues, job);
    return;
  }
  const now = queue.clock.now();
  job[state === 'completed' ? 'returnvalue' : 'failedReason'] = value;
  job.finishedOn = now;
  if (state === 'failed') job.deferredFailure = undefined;
  const ended = queue[state];
  ended.add(job.id, now);
  const aged = kept.age === undefined ? [] : ended.within(0, now - kept.age * 1_000).toReversed();
  forget(queue, state, aged.slice(0, kept.limit ?? AGED_AT_ONCE));
  if (kept.count && ended.size > kept.count) forget(queue, state, ended.sliceReversed(kept.count, -1));
}

function forget(queue: MemoryQueue, state: JobEnd['state'], ids: readonly string[]): void {
  for (const id of ids) {
    removeJob(queue, id, { keepDeduplication: true });
    queue[state].remove(id);
  }
}

function tell(queue: MemoryQueue, { id, attemptsMade }: MemoryJob, { state, value, attempts }: JobEnd): void {
  if (state === 'completed') {
    queue.emit('completed', { jobId: id, returnvalue: value, prev: 'active' });
    return;
  }
  queue.emit('failed', { jobId: id, failedReason: value, prev: 'active' });
  if (attempts !== undefined && attemptsMade >= attempts) {
    queue.emit('retries-exhausted', { jobId: id, attemptsMade });
  }
}
