import type { MemoryJob } from './memory-job.js';
import type { MemoryQueue, NeighbourQueues } from './memory-queue.js';

export function attachToParent(queues: NeighbourQueues, child: MemoryJob): void {
  if (child.parentKey) queues.job(child.parentKey)?.job.pending.add(child.key);
}

/** Gives the result of a child to its parent, which may have waited for nothing else. */
export function completeChild(queues: NeighbourQueues, child: MemoryJob, value: string, { release = true } = {}): void {
  const parent = child.parentKey ? queues.job(child.parentKey) : undefined;
  if (!parent) return;
  parent.job.processed.set(child.key, value);
  if (release) releaseParent(parent.queue, parent.job);
}

/** As {@link completeChild}, for a child that ended and that its parent waits for. */
export function endChild(queues: NeighbourQueues, child: MemoryJob, value: string): void {
  const parent = child.parentKey ? queues.job(child.parentKey) : undefined;
  if (parent?.job.pending.delete(child.key)) completeChild(queues, child, value);
}

/** Does to the parent what the options of a failed child want. */
export function failChild(queues: NeighbourQueues, child: MemoryJob, reason: string): void {
  const { parent: wanted, parentKey } = child;
  const parent = parentKey ? queues.job(parentKey) : undefined;
  if (!parent || !wanted) return;
  const { queue, job } = parent;
  const { fpof, cpof, idof, rdof } = wanted;
  if (!(fpof || cpof || idof || rdof) || !job.pending.delete(child.key)) return;
  if (fpof) {
    job.unsuccessful.add(child.key, queue.clock.now());
    failParent(queue, job, `child ${child.key} failed`);
  } else if (cpof) {
    job.ignored.set(child.key, reason);
    if (queue.waitingChildren.remove(job.id)) moveToWait(queue, job);
  } else {
    releaseParent(queue, job);
    if (idof) job.ignored.set(child.key, reason);
  }
}

/** Lets a parent run whose children have all ended. */
export function releaseParent(queue: MemoryQueue, job: MemoryJob): void {
  if (job.pending.size === 0 && queue.waitingChildren.remove(job.id)) moveToWait(queue, job);
}

/** Lets a parent wait again for a child that is retried. */
export function takeBackChild(queues: NeighbourQueues, child: MemoryJob, ended: 'completed' | 'failed'): void {
  const parent = child.parentKey ? queues.job(child.parentKey)?.job : undefined;
  if (!parent) return;
  const counted =
    ended === 'completed'
      ? parent.processed.delete(child.key)
      : parent.unsuccessful.remove(child.key) || parent.ignored.delete(child.key);
  if (counted) parent.pending.add(child.key);
}

/**
 * Breaks the tie between a child and its parent; false when there was none. A parent that waited for nothing else runs,
 * or, where everything is being removed, is removed with its child.
 */
export function detachFromParent(
  queues: NeighbourQueues,
  child: MemoryJob,
  { parentKey = child.parentKey, hard }: { parentKey?: string; hard?: MemoryQueue } = {},
): boolean {
  const parent = parentKey ? queues.job(parentKey) : undefined;
  if (!parent?.job.pending.delete(child.key)) return false;
  const { queue, job } = parent;
  if (job.pending.size > 0 || !queue.waitingChildren.remove(job.id)) return true;
  if (hard === queue) {
    detachFromParent(queues, job, { hard });
    queue.jobs.delete(job.id);
    return true;
  }
  queue.wait.addFirst(job.id);
  queue.waiters.check();
  if (!hard) queue.emit('waiting', { jobId: job.id, prev: 'waiting-children' });
  return true;
}

/** The worker that takes the parent next finds that it has failed. */
function failParent(queue: MemoryQueue, job: MemoryJob, reason: string): void {
  if (queue.waitingChildren.remove(job.id)) {
    job.deferredFailure = reason;
    moveToWait(queue, job);
  } else if (queue.delayed.remove(job.id)) {
    job.deferredFailure = reason;
    job.delay = 0;
    moveToWait(queue, job);
  } else if (!queue.failed.has(job.id)) {
    job.deferredFailure = reason;
  }
}

function moveToWait(queue: MemoryQueue, job: MemoryJob): void {
  if (job.delay > 0) {
    queue.postpone(job, queue.clock.now() + job.delay);
    return;
  }
  if (job.priority > 0) queue.enqueue(job);
  else queue.enqueueFirst(job);
  queue.emit('waiting', { jobId: job.id, prev: 'waiting-children' });
}
