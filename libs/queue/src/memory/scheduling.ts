import { ErrorCode, type JobSchedulerJobOptions, type JobsOptions, type RepeatableOptions } from 'bullmq';
import { fromFarFuture } from './cron.strategy.js';
import { toJson } from './memory-job.js';
import type { MemoryQueue, SchedulerFields } from './memory-queue.js';
import { nextByInterval } from './intervals.js';
import { iterationId } from './iterations.js';
import { removeJob } from './removing.js';

/** A job scheduler as it is declared. */
export interface SchedulerDraft {
  readonly id: string;
  /** When a cron pattern is due next. */
  readonly nextMillis: number;
  readonly data: string;
  readonly template: JobsOptions;
  readonly options: RepeatableOptions;
  /** Options of the job of the next iteration. */
  readonly job: JobSchedulerJobOptions;
}

interface Iteration {
  readonly at: number;
  readonly offset: number | undefined;
}

// As many slots as Redis looks at that old jobs of the same scheduler may still occupy.
const SLOTS = 32;

/** Declares or replaces a scheduler and adds its next job; gives back the id and the delay of that. */
export function upsertScheduler(queue: MemoryQueue, draft: SchedulerDraft): [string, number] | ErrorCode {
  const { id, options, job } = draft;
  const previous = queue.schedules.scoreOf(id);
  const sameInterval = queue.schedulers.get(id)?.every === `${options.every}`;
  let { at, offset } = firstIteration(queue, draft, sameInterval ? previous : undefined);
  if (previous !== undefined && removePending(queue, iterationId(id, previous))) {
    offset = options.offset ?? undefined;
    if (options.every && sameInterval) at = previous;
  }
  for (let slot = 0; options.every && queue.jobs.has(iterationId(id, at)); slot++) {
    if (slot >= SLOTS) return ErrorCode.SchedulerJobSlotsBusy;
    at += options.every;
  }
  if (queue.jobs.has(iterationId(id, at))) return ErrorCode.SchedulerJobIdCollision;
  queue.schedulers.set(id, fieldsOf(draft, offset, queue.schedulers.get(id)));
  return addIteration(queue, id, at, { name: options.name, data: draft.data, job });
}

/** Adds the next job of a scheduler when one of it begins; its id, unless the scheduler has ended or is ahead already. */
export function advanceScheduler(
  queue: MemoryQueue,
  id: string,
  { nextMillis, job, producerId }: { nextMillis: number; job: JobSchedulerJobOptions; producerId: string | undefined },
): string | undefined {
  const previous = queue.schedules.scoreOf(id);
  const fields = queue.schedulers.get(id);
  if (previous === undefined || !fields || producerId !== iterationId(id, previous)) return undefined;
  const now = queue.clock.now();
  const endDate = Number(fields.endDate ?? Infinity);
  if (now > endDate) return undefined;
  const every = Number(fields.every ?? job.repeat?.every ?? 0);
  const offset = Number(fields.offset ?? job.repeat?.offset ?? 0);
  const at = every > 0 ? nextByInterval({ previous, every, now, offset }).at : fromFarFuture(nextMillis);
  if (queue.jobs.has(iterationId(id, at))) {
    queue.emit('duplicated', { jobId: iterationId(id, at) });
    return undefined;
  }
  fields.ic = `${Number(fields.ic) + 1}`;
  return addIteration(queue, id, at, { name: fields.name!, data: fields.data ?? '{}', job })[0];
}

/** Ends a scheduler and removes its next job; whether there was one. */
export function removeScheduler(queue: MemoryQueue, id: string): boolean {
  const at = queue.schedules.scoreOf(id);
  if (at === undefined) return false;
  const next = iterationId(id, at);
  if (queue.delayed.remove(next)) {
    queue.jobs.delete(next);
    queue.emit('removed', { jobId: next, prev: 'delayed' });
  }
  queue.schedules.remove(id);
  queue.schedulers.delete(id);
  return true;
}

function firstIteration(queue: MemoryQueue, draft: SchedulerDraft, previous: number | undefined): Iteration {
  const { every, startDate, offset } = draft.options;
  const now = queue.clock.now();
  const wanted = offset ?? draft.job.repeat?.offset ?? 0;
  if (!every) return { at: fromFarFuture(draft.nextMillis), offset: wanted };
  return nextByInterval({ previous, every, now, offset: wanted, startDate: startDate ?? undefined });
}

function removePending(queue: MemoryQueue, jobId: string): boolean {
  const line = [queue.delayed, queue.prioritized, queue.wait].find((candidate) => candidate.remove(jobId));
  if (line) removeJob(queue, jobId, { hard: true });
  return line !== undefined;
}

function addIteration(
  queue: MemoryQueue,
  scheduler: string,
  at: number,
  { name, data, job: options }: { name: string; data: string; job: JobSchedulerJobOptions },
): [string, number] {
  const timestamp = queue.clock.now();
  const id = iterationId(scheduler, at);
  const delay = Math.max(at - timestamp, 0);
  queue.schedules.add(scheduler, at);
  queue.nextId();
  const opts = { ...options, delay, jobId: id };
  const job = queue.store(id, { name, data, opts, timestamp, repeatJobKey: scheduler });
  queue.place(job, opts.lifo);
  return [id, delay];
}

function fieldsOf(
  { data, template, options }: SchedulerDraft,
  offset: number | undefined,
  before: SchedulerFields | undefined,
): SchedulerFields {
  const { name, tz, limit, pattern, startDate, endDate, every } = options;
  const opts = toJson(template);
  const times = { tz, limit, pattern, startDate, endDate, every, offset: offset ?? before?.offset };
  const made = { opts: opts === '{}' ? undefined : opts, data: data === '{}' ? undefined : data };
  const fields = { name, ...times, ...made, ic: before?.ic ?? 1 };
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(kept.map(([field, value]) => [field, `${value}`]));
}
