import type { MemoryJob } from './memory-job.js';
import type { MemoryQueue } from './memory-queue.js';
import { isLocked } from './taking.js';

/**
 * Lets jobs run again whose worker has lost them: those that ran without a lock at the last look and still do. Gives
 * back their ids.
 */
export function recoverStalled(queue: MemoryQueue, maxStalledCount: number, intervalMs: number): string[] {
  const now = Date.now(); // as the timers of workers, by which they look and renew
  if (queue.stalledCheckedUntil > now) return [];
  queue.stalledCheckedUntil = now + intervalMs;
  const recovered: string[] = [];
  for (const id of queue.stalled) {
    const job = queue.jobs.get(id);
    if (!job || isLocked(job) || !queue.active.remove(id)) continue;
    if (++job.stalledCounter > maxStalledCount && !isScheduled(queue, job)) {
      job.deferredFailure = 'job stalled more than allowable limit';
    }
    queue.wait.addFirst(id);
    queue.emit('waiting', { jobId: id, prev: 'active' });
    queue.emit('stalled', { jobId: id });
    recovered.push(id);
  }
  queue.stalled.clear();
  for (const id of queue.active) queue.stalled.add(id);
  queue.waiters.check();
  return recovered;
}

function isScheduled(queue: MemoryQueue, { repeatJobKey }: MemoryJob): boolean {
  return repeatJobKey !== undefined && queue.schedulers.has(repeatJobKey);
}
