import { ErrorCode, type JobJson, type ParentKeyOpts } from 'bullmq';
import { deduplicate } from './deduplicating.js';
import { attachToParent, completeChild, releaseParent } from './flows.js';
import type { MemoryJob, MemoryJobDraft } from './memory-job.js';
import type { MemoryQueue, NeighbourQueues } from './memory-queue.js';

/** One job that BullMQ wants to be added. */
export interface JobEntry {
  readonly job: JobJson;
  readonly jobId: string | undefined;
  readonly parentKeyOpts?: ParentKeyOpts;
}

/** Adds a job and gives back its id, or that of the one that there is instead; a code when it cannot be added. */
export function addJob(queue: MemoryQueue, { job: json, jobId, parentKeyOpts = {} }: JobEntry): string | ErrorCode {
  const draft = draftOf(queue, json);
  const { parentKey, opts } = draft;
  if (parentKey && !queue.queues.job(parentKey)) return ErrorCode.ParentJobNotExist;
  const counted = queue.nextId();
  const id = jobId || counted;
  const isChild = Boolean(parentKeyOpts.parentDependenciesKey);
  const existing = jobId ? queue.jobs.get(jobId) : undefined;
  if (existing) return meetAgain(queue, existing, draft, isChild, parentKeyOpts.deferParentRelease === true);
  const holder = deduplicate(queue, { jobId: id, draft, isChild }, parentKeyOpts.addToWaitingChildren);
  if (holder) return holder;
  const job = queue.store(id, draft);
  if (parentKeyOpts.addToWaitingChildren) {
    queue.waitingChildren.add(id, draft.timestamp);
    queue.emit('waiting-children', { jobId: id });
  } else {
    queue.place(job, opts.lifo);
  }
  if (isChild) attachToParent(queue.queues, job);
  return id;
}

/** Adds the jobs of a flow, parents before their children, each with the queue that it belongs to. */
export function addFlow(
  queues: NeighbourQueues,
  entries: readonly (JobEntry & { queue: MemoryQueue })[],
): (string | ErrorCode)[] {
  const parents = new Set<string>();
  const results = entries.map(({ queue, ...entry }) => {
    const parentKey = entry.parentKeyOpts?.parentKey;
    if (entry.job.parent && parentKey) parents.add(parentKey);
    return addJob(queue, { ...entry, parentKeyOpts: { ...entry.parentKeyOpts, deferParentRelease: true } });
  });
  // Only now is known whether all children of a parent had ended before.
  for (const parentKey of parents) {
    const parent = queues.job(parentKey);
    if (parent?.job.attachmentFailed) parent.job.attachmentFailed = undefined;
    else if (parent) releaseParent(parent.queue, parent.job);
  }
  return results;
}

/** What BullMQ has timed by Date.now() is timed by the clock of the queue, unless the caller has said when it was. */
function draftOf(queue: MemoryQueue, json: JobJson): MemoryJobDraft {
  const { name, data, opts, parent, parentKey, repeatJobKey } = json;
  const timestamp = opts.timestamp ?? queue.clock.now();
  return { name, data, opts, timestamp, parent, parentKey, repeatJobKey };
}

function meetAgain(queue: MemoryQueue, job: MemoryJob, draft: MemoryJobDraft, isChild: boolean, inFlow: boolean) {
  const { parentKey, parent } = draft;
  const { queues } = queue;
  const other = job.parentKey !== undefined && job.parentKey !== parentKey && queues.job(job.parentKey) !== undefined;
  if (other && parentKey) {
    if (inFlow) queues.job(parentKey)!.job.attachmentFailed = true;
    return ErrorCode.ParentJobCannotBeReplaced;
  }
  if (!other && parentKey) {
    job.parentKey = parentKey;
    job.parent = parent && { ...parent };
    if (queue.completed.has(job.id)) completeChild(queues, job, job.returnvalue ?? 'null', { release: !inFlow });
    else if (isChild) attachToParent(queues, job);
  }
  queue.emit('duplicated', { jobId: job.id });
  return job.id;
}
