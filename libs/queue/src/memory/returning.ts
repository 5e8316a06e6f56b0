import { ErrorCode, type MoveToDelayedOpts } from 'bullmq';
import { takeBackChild } from './flows.js';
import { updateFields, type MemoryJob } from './memory-job.js';
import type { MemoryQueue } from './memory-queue.js';
import { promoteDue, unlock } from './taking.js';

type Fields = MoveToDelayedOpts['fieldsToUpdate'];

/** What ended well, or why it did not. */
type Outcome = ErrorCode | undefined;

/** Puts a job that runs off, by so many ms from now. */
export function delayRunning(
  queue: MemoryQueue,
  jobId: string,
  {
    delayMs,
    token,
    skipAttempt = false,
    fields,
  }: { delayMs: number; token: string; skipAttempt?: boolean; fields?: Fields },
): Outcome {
  return leaveActive(queue, jobId, token, (job) => {
    updateFields(job, fields);
    if (!skipAttempt) job.attemptsMade++;
    job.delay = delayMs;
    queue.postpone(job, queue.clock.now() + Math.max(delayMs, 0));
  });
}

/** Ends an attempt of a job, which then waits for the next. */
export function retryRunning(
  queue: MemoryQueue,
  jobId: string,
  { lifo, token, fields }: { lifo: boolean; token: string; fields?: Fields },
): Outcome {
  promoteDue(queue);
  return leaveActive(queue, jobId, token, (job) => {
    updateFields(job, fields);
    queue.enqueue(job, { lifo });
    job.attemptsMade++;
    queue.emit('waiting', { jobId, prev: 'active' });
  });
}

/** Gives a job back that was taken; it is the next one that is taken. */
export function giveBack(queue: MemoryQueue, jobId: string, token: string): Outcome {
  const outcome = leaveActive(queue, jobId, token, (job) => {
    queue.enqueueFirst(job);
    queue.emit('waiting', { jobId, prev: 'active' });
  });
  return outcome === ErrorCode.JobNotInState ? undefined : outcome;
}

/** Lets a job that runs wait for its children, or for one of them; false when there is nothing to wait for. */
export function awaitChildren(
  queue: MemoryQueue,
  jobId: string,
  { token, child }: { token: string; child: string | undefined },
): ErrorCode | boolean {
  const job = queue.jobs.get(jobId);
  if (!job) return ErrorCode.JobNotExist;
  if (job.unsuccessful.size > 0) return ErrorCode.JobHasFailedChildren;
  if (child === undefined ? job.pending.size === 0 : !job.pending.has(child)) return false;
  const refused = leaveActive(queue, jobId, token, () => {
    queue.waitingChildren.add(jobId, queue.clock.now());
    queue.emit('waiting-children', { jobId, prev: 'active' });
  });
  return refused ?? true;
}

/** Runs a job again that has ended. */
export function runAgain(
  queue: MemoryQueue,
  jobId: string,
  state: 'completed' | 'failed',
  { lifo = false, resetAttemptsMade = false, resetAttemptsStarted = false } = {},
): Outcome {
  const job = queue.jobs.get(jobId);
  if (!job) return ErrorCode.JobNotExist;
  if (!queue[state].remove(jobId)) return ErrorCode.JobNotInState;
  if (resetAttemptsMade) job.attemptsMade = 0;
  if (resetAttemptsStarted) job.attemptsStarted = 0;
  forgetEnd(job, state);
  queue.enqueue(job, { lifo });
  takeBackChild(queue.queues, job, state);
  queue.emit('waiting', { jobId, prev: state });
  return undefined;
}

/** Lets jobs wait that have ended or are delayed, at most so many; whether there may be more. */
export function moveAllToWait(
  queue: MemoryQueue,
  state: 'completed' | 'failed' | 'delayed',
  { count, until }: { count: number; until: number },
): boolean {
  const ids = queue[state].within(0, until, count);
  for (const id of ids) {
    const job = queue.jobs.get(id);
    queue[state].remove(id);
    if (!job) continue;
    if (state !== 'delayed') {
      forgetEnd(job, state);
      takeBackChild(queue.queues, job, state);
    }
    queue.wait.addLast(id); // also those that have a priority, as on Redis
    queue.emit('waiting', { jobId: id, prev: state });
  }
  queue.waiters.check();
  return ids.length >= count;
}

/** Lets a delayed job wait. */
export function promote(queue: MemoryQueue, jobId: string): Outcome {
  const job = queue.jobs.get(jobId);
  if (!job || !queue.delayed.remove(jobId)) return ErrorCode.JobNotInState;
  queue.enqueue(job);
  queue.emit('waiting', { jobId, prev: 'delayed' });
  job.delay = 0;
  return undefined;
}

/** Delays a delayed job by so many ms from now. */
export function changeDelay(queue: MemoryQueue, jobId: string, delayMs: number): Outcome {
  const job = queue.jobs.get(jobId);
  if (!job) return ErrorCode.JobNotExist;
  if (!queue.delayed.has(jobId)) return ErrorCode.JobNotInState;
  job.delay = delayMs;
  queue.postpone(job, queue.clock.now() + Math.max(delayMs, 0));
  return undefined;
}

/** Gives a job another priority, for now where it waits and else for later. */
export function changePriority(queue: MemoryQueue, jobId: string, priority: number, lifo: boolean): Outcome {
  const job = queue.jobs.get(jobId);
  if (!job) return ErrorCode.JobNotExist;
  const waits = queue.prioritized.remove(jobId) || queue.wait.remove(jobId);
  job.priority = priority;
  if (waits && lifo) queue.enqueueFirst(job);
  else if (waits) queue.enqueue(job);
  return undefined;
}

function leaveActive(queue: MemoryQueue, jobId: string, token: string, then: (job: MemoryJob) => void): Outcome {
  const job = queue.jobs.get(jobId);
  if (!job) return ErrorCode.JobNotExist;
  const refused = unlock(queue, job, token);
  if (refused !== undefined) return refused;
  if (!queue.active.remove(jobId)) return ErrorCode.JobNotInState;
  then(job);
  return undefined;
}

function forgetEnd(job: MemoryJob, state: 'completed' | 'failed'): void {
  job.finishedOn = undefined;
  job.processedOn = undefined;
  if (state === 'completed') job.returnvalue = undefined;
  else job.failedReason = undefined;
}
