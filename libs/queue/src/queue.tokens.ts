import { Inject } from '@nestjs/common';

/** What everything that needs {@link QueueModule} is injected with, so that without it the boot fails, and says so. */
export const QUEUE_MODULE = Symbol('QueueModule (import QueueModule.forRoot() in the root module)');

/** Makes the class of a decorated method, or a decorated class, need the module. */
export function needQueueModule(target: object): void {
  Inject(QUEUE_MODULE)(target, QUEUE_MODULE);
}

/** The injection token of the {@link JobQueue} of a queue. */
export function getJobsToken(queue: string): string {
  return `roost:jobs:${queue}`;
}

/**
 * Injects the {@link JobQueue} of a queue.
 * @example constructor(@InjectJobs('emails') private readonly emails: JobQueue) {}
 */
export function InjectJobs(queue: string): ParameterDecorator & PropertyDecorator {
  return Inject(getJobsToken(queue));
}
