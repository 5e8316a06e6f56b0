import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Job } from 'bullmq';
import { JobAbort } from './job-abort.js';

/** The data of the job, or one property of it. */
export const JobData = createParamDecorator((property: string | undefined, context: ExecutionContext): unknown => {
  const { data } = jobOf(context) as { data: Record<string, unknown> };
  return property === undefined ? data : data[property];
});

/** The id of the job. */
export const JobId = createParamDecorator((_: unknown, context: ExecutionContext) => jobOf(context).id);

/** The job itself, as BullMQ has it. */
export const CurrentJob = createParamDecorator((_: unknown, context: ExecutionContext) => jobOf(context));

/**
 * Aborts when the job's `timeout` is over (JobTimeoutError), its lock is lost, or the process shuts down
 * (JobHandedBackError): what is done after that may be done by another process as well.
 */
export const JobSignal = createParamDecorator((_: unknown, context: ExecutionContext) => jobSignalOf(context));

/** For guards and interceptors: the job of a context whose type is `'job'`. */
export function jobOf(context: ExecutionContext): Job {
  return context.getArgByIndex<Job>(0);
}

/** For guards and interceptors: what {@link JobSignal} gives to a handler. */
export function jobSignalOf(context: ExecutionContext): AbortSignal {
  const abort = context.getArgByIndex<JobAbort | AbortSignal>(1);
  return abort instanceof JobAbort ? abort.signal : abort;
}
