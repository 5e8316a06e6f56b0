import type { DeduplicationOptions } from 'bullmq';
import type { NextJob } from './deduplications.js';
import { attachToParent } from './flows.js';
import type { MemoryJob } from './memory-job.js';
import type { MemoryQueue } from './memory-queue.js';

/** The id of the job that there is already under the deduplication id of a new one; undefined when that is to be added. */
export function deduplicate(queue: MemoryQueue, added: NextJob, neverReplace = false): string | undefined {
  const options = added.draft.opts.deduplication;
  if (!options?.id) return undefined;
  const holder = queue.deduplications.holder(options.id);
  if (holder === undefined || isStale(queue, options.id, holder)) {
    if (holder !== undefined) queue.deduplications.next.delete(options.id);
    queue.deduplications.claim(added.jobId, options);
    return undefined;
  }
  if (options.replace && !neverReplace) return replaceDelayed(queue, holder, added, options) ? undefined : holder;
  if (keepForLater(queue, holder, added, options)) return holder;
  if (options.extend && options.ttl) queue.deduplications.claim(holder, options);
  tell(queue, options.id, holder, added.jobId);
  if (options.reschedule && !neverReplace) reschedule(queue, holder, added);
  return holder;
}

/** Gives the id free when its job has ended, and adds the job that was kept until then. */
export function endDeduplication(queue: MemoryQueue, job: MemoryJob): void {
  const { deduplicationId: id } = job;
  if (id === undefined) return;
  const { deduplications } = queue;
  if (deduplications.isUntilEnd(id) && deduplications.holder(id) === job.id) deduplications.release(id);
  const next = deduplications.next.get(id);
  if (!next) return;
  deduplications.next.delete(id);
  queue.nextId();
  deduplications.claim(next.jobId, next.draft.opts.deduplication!);
  const added = queue.store(next.jobId, { ...next.draft, timestamp: queue.clock.now() });
  queue.place(added, next.draft.opts.lifo);
  if (next.isChild) attachToParent(queue.queues, added);
}

/** Gives the id free when its job is removed. */
export function removeDeduplication(queue: MemoryQueue, job: MemoryJob): void {
  const { deduplicationId: id } = job;
  if (id === undefined || queue.deduplications.holder(id) !== job.id) return;
  queue.deduplications.release(id);
  queue.deduplications.next.delete(id);
}

/** Held until the end of a job that does not exist any more. */
function isStale(queue: MemoryQueue, id: string, holder: string): boolean {
  return queue.deduplications.isUntilEnd(id) && !queue.jobs.has(holder);
}

function replaceDelayed(queue: MemoryQueue, holder: string, added: NextJob, options: DeduplicationOptions): boolean {
  const { deduplications } = queue;
  if (!queue.delayed.remove(holder)) {
    keepForLater(queue, holder, added, options);
    return false;
  }
  queue.jobs.delete(holder);
  queue.emit('removed', { jobId: holder, prev: 'delayed' });
  tell(queue, options.id, added.jobId, holder);
  deduplications.next.delete(options.id);
  if (options.ttl && !options.extend && !options.keepLastIfActive) deduplications.handOver(options.id, added.jobId);
  else deduplications.claim(added.jobId, options);
  return true;
}

function keepForLater(queue: MemoryQueue, holder: string, added: NextJob, options: DeduplicationOptions): boolean {
  if (!options.keepLastIfActive || !queue.active.has(holder)) return false;
  queue.deduplications.next.set(options.id, added);
  queue.deduplications.persist(options.id);
  tell(queue, options.id, holder, added.jobId);
  return true;
}

function reschedule(queue: MemoryQueue, holder: string, { draft }: NextJob): void {
  const job = queue.jobs.get(holder);
  if (!job || !queue.delayed.has(holder)) return;
  job.delay = draft.opts.delay ?? 0;
  queue.postpone(job, draft.timestamp + job.delay);
}

function tell(queue: MemoryQueue, deduplicationId: string, jobId: string, deduplicatedJobId: string): void {
  queue.emit('deduplicated', { jobId, deduplicationId, deduplicatedJobId });
}
