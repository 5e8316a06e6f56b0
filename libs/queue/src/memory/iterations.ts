import type { MemoryQueue } from './memory-queue.js';

/** Whether a job is the next one of a scheduler, which would end without it. */
export function isCurrentIteration(queue: MemoryQueue, jobId: string): boolean {
  const scheduler = queue.jobs.get(jobId)?.repeatJobKey;
  const at = scheduler === undefined ? undefined : queue.schedules.scoreOf(scheduler);
  return at !== undefined && jobId === iterationId(scheduler!, at);
}

/** The id of the job that a scheduler has for a time. */
export function iterationId(scheduler: string, at: number): string {
  return `repeat:${scheduler}:${at}`;
}
