import { ErrorCode } from 'bullmq';
import { jsonOf, type MemoryJob } from './memory-job.js';
import type { MemoryQueue } from './memory-queue.js';
import type { Taker } from './worker.settings.js';

// As many as Redis moves at once.
const PROMOTED_AT_ONCE = 1_000;

/** Gives the next job to a worker and locks it for that; undefined when there is none that may be started. */
export function takeJob(queue: MemoryQueue, taker: Taker): MemoryJob | undefined {
  promoteDue(queue);
  const limit = limitOf(queue, taker);
  if (queue.limiter.waitMs(limit?.max) > 0 || queue.paused || queue.maxed) return undefined;
  const id = queue.wait.shift() ?? queue.prioritized.shift();
  const job = id === undefined ? undefined : queue.jobs.get(id);
  if (!job) return undefined;
  queue.active.addLast(job.id);
  if (limit && job.deferredFailure === undefined) queue.limiter.count(limit.duration);
  if (taker.token !== '0') job.lock = { token: taker.token, until: Date.now() + taker.lockMs };
  queue.emit('active', { jobId: job.id, prev: 'waiting' });
  job.processedOn = queue.clock.now();
  if (taker.name) job.processedBy = taker.name;
  job.attemptsStarted++;
  return job;
}

/** A job as BullMQ's Worker wants it; waits are never asked of the Worker, which reckons by Date.now(). */
export function taken(job: MemoryJob | undefined): unknown[] {
  return job ? [jsonOf(job), job.id, 0, 0] : [null, 0, 0, 0];
}

/** Whether there is nothing to do until something is added, and not for some other reason. */
export function hasNothingToTake(queue: MemoryQueue, taker: Taker): boolean {
  if (queue.paused || queue.maxed || queue.delayed.size > 0) return false;
  return queue.limiter.waitMs(limitOf(queue, taker)?.max) === 0;
}

/** When a worker that finds nothing now should look again; undefined when something has to change first. */
export function nextTakeAt(queue: MemoryQueue, { limiter }: Pick<Taker, 'limiter'>): number | undefined {
  const now = queue.clock.now();
  const { lowest: delayed } = queue.delayed;
  if (queue.paused || queue.maxed) return delayed;
  if (queue.wait.size + queue.prioritized.size === 0) return delayed;
  const freeAt = now + queue.limiter.waitMs(limitOf(queue, { limiter })?.max);
  return Math.min(freeAt, delayed ?? Infinity);
}

/** Moves what was delayed and is due to those that wait. */
export function promoteDue(queue: MemoryQueue): void {
  for (const id of queue.delayed.within(0, queue.clock.now(), PROMOTED_AT_ONCE)) {
    queue.delayed.remove(id);
    const job = queue.jobs.get(id);
    if (!job) continue;
    queue.enqueue(job);
    queue.emit('waiting', { jobId: id, prev: 'delayed' });
    job.delay = 0;
  }
}

// A worker renews its locks by timers of its own, which know no clock but that of the system.
export function isLocked({ lock }: MemoryJob): boolean {
  return lock !== undefined && lock.until > Date.now();
}

/** Takes the lock of a worker away from a job; a code when it is not that worker's. */
export function unlock(queue: MemoryQueue, job: MemoryJob, token: string): ErrorCode | undefined {
  if (token === '0') return undefined;
  if (!isLocked(job)) return ErrorCode.JobLockNotExist;
  if (job.lock!.token !== token) return ErrorCode.JobLockMismatch;
  job.lock = undefined;
  queue.stalled.delete(job.id);
  return undefined;
}

/** Whether the lock was that worker's and lasts longer now. */
export function extendLock(queue: MemoryQueue, jobId: string, token: string, durationMs: number): boolean {
  const job = queue.jobs.get(jobId);
  if (!job || !isLocked(job) || job.lock!.token !== token) return false;
  job.lock = { token, until: Date.now() + durationMs };
  queue.stalled.delete(jobId);
  return true;
}

function limitOf(queue: MemoryQueue, { limiter }: Pick<Taker, 'limiter'>) {
  const max = queue.meta.get('max');
  if (max === undefined) return limiter;
  return { max: Number(max), duration: limiter?.duration ?? Number(queue.meta.get('duration') ?? 0) };
}
