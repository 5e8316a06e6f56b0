import { removeDeduplication } from './deduplicating.js';
import { detachFromParent } from './flows.js';
import type { MemoryJob } from './memory-job.js';
import type { MemoryQueue } from './memory-queue.js';
import { isCurrentIteration } from './iterations.js';
import { isLocked } from './taking.js';

/** What becomes of the children of a job that is removed. */
export interface RemoveOptions {
  readonly children: boolean;
  /** Children that run, or have ended, stay. */
  readonly onlyUnprocessed?: boolean;
}

/** Forgets a job, whichever line it is in; `hard`: a parent in the same queue that waited for it goes with it. */
export function removeJob(queue: MemoryQueue, id: string, { hard = false, keepDeduplication = false } = {}): void {
  const job = queue.jobs.get(id);
  if (!job) return;
  detachFromParent(queue.queues, job, { hard: hard ? queue : undefined });
  if (!keepDeduplication) removeDeduplication(queue, job);
  queue.jobs.delete(id);
}

/** Whether a job runs, or one of its children where these go with it. */
export function isBusy(queue: MemoryQueue, id: string, children: boolean): boolean {
  const job = queue.jobs.get(id);
  if (!job) return false;
  if (isLocked(job)) return true;
  return children && [...job.pending].some((key) => at(queue, key, (child, childId) => isBusy(child, childId, true)));
}

/** Removes a job, in whatever state it is. */
export function removeFromAnyState(queue: MemoryQueue, id: string, options: RemoveOptions, parentKey?: string): void {
  const job = queue.jobs.get(id);
  if (options.onlyUnprocessed && (queue.failed.has(id) || (job && isLocked(job)))) return;
  if (!job) return;
  detachFromParent(queue.queues, job, { parentKey });
  if (options.children) removeChildren(queue, job, options);
  const prev = STATES.find((state) => queue.inState(state)!.remove(id)) ?? 'unknown';
  removeDeduplication(queue, job);
  queue.jobs.delete(id);
  queue.emit('removed', { jobId: id, prev });
  queue.waiters.check();
}

export function removeChildren(queue: MemoryQueue, job: MemoryJob, options: RemoveOptions): void {
  const ended = options.onlyUnprocessed ? [] : [...job.processed.keys(), ...job.ignored.keys(), ...job.unsuccessful];
  for (const key of [...ended, ...job.pending]) {
    at(queue, key, (child, id) => removeFromAnyState(child, id, options, job.key));
  }
}

/** Removes all jobs that wait, and those that are delayed where that is wanted; iterations of schedulers stay. */
export function drain(queue: MemoryQueue, delayed: boolean): void {
  for (const line of [queue.wait, ...(delayed ? [queue.delayed] : []), queue.prioritized]) {
    for (const id of line) {
      if (isCurrentIteration(queue, id)) continue;
      removeJob(queue, id, { hard: true });
      line.remove(id);
    }
  }
}

/** Removes jobs of a state that are not younger than a time, at most so many; gives back their ids. */
export function clean(queue: MemoryQueue, state: string, until: number, limit: number): string[] {
  const line = queue.inState(state);
  if (!line) return [];
  const most = limit > 0 ? limit : Infinity;
  const removed = candidates(queue, state, until, most).filter((id) => isOldEnough(queue, state, id, until));
  for (const id of removed) {
    removeJob(queue, id, { hard: true });
    line.remove(id);
  }
  queue.emit('cleaned', { count: removed.length });
  return removed;
}

/** Removes jobs that no line knows; gives back how many there were. */
export function removeOrphans(queue: MemoryQueue, limit: number): number {
  let removed = 0;
  for (const id of queue.jobs.keys()) {
    if (limit > 0 && removed >= limit) break;
    if (STATES.some((state) => queue.inState(state)!.has(id))) continue;
    queue.jobs.delete(id);
    removed++;
  }
  return removed;
}

/** Removes the queue, and in other queues what waits for its jobs. */
export function obliterate(queue: MemoryQueue): void {
  for (const id of queue.jobs.keys()) removeJob(queue, id, { hard: true });
  queue.clear();
}

const STATES = ['completed', 'waiting-children', 'delayed', 'failed', 'prioritized', 'wait', 'active'] as const;

const LISTS: readonly string[] = ['wait', 'waiting', 'active'];

// In the order of their time, so that the range has chosen them.
const ENDED: readonly string[] = ['completed', 'failed', 'waiting-children'];

function candidates(queue: MemoryQueue, state: string, until: number, limit: number): string[] {
  const line = queue.inState(state)!;
  if (LISTS.includes(state)) return line.slice(0, limit - 1).toReversed(); // the oldest, the newest of them first
  return line.within(0, state === 'delayed' || state === 'prioritized' ? Infinity : until, limit);
}

function isOldEnough(queue: MemoryQueue, state: string, id: string, until: number): boolean {
  const job = queue.jobs.get(id);
  if (!job || ENDED.includes(state)) return true;
  if (isCurrentIteration(queue, id) || (state === 'active' && isLocked(job))) return false;
  if (state === 'prioritized') return job.timestamp <= until;
  if (state === 'delayed') return (job.processedOn ?? job.timestamp) <= until;
  return (job.finishedOn ?? job.processedOn ?? job.timestamp) <= until;
}

function at<T>(queue: MemoryQueue, key: string, run: (queue: MemoryQueue, id: string) => T): T | undefined {
  const found = queue.queues.locate(key);
  return found && run(found.queue, found.id);
}
