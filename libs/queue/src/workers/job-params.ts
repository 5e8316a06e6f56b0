import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Job } from 'bullmq';

/** What a job's context has as arguments, which guards and interceptors see as well. */
export type JobArgs = readonly [job: Job, signal: AbortSignal];

/** The data of the job, or one property of it. */
export const JobData = createParamDecorator((property: string | undefined, context: ExecutionContext): unknown => {
  const { data } = jobIn(context) as { data: Record<string, unknown> };
  return property === undefined ? data : data[property];
});

/** The id of the job. */
export const JobId = createParamDecorator((_: unknown, context: ExecutionContext) => jobIn(context).id);

/** The job itself, as BullMQ has it. */
export const CurrentJob = createParamDecorator((_: unknown, context: ExecutionContext) => jobIn(context));

/**
 * Aborts when the job's `timeout` is over (JobTimeoutError), its lock is lost, or the process shuts down
 * (JobHandedBackError): what is done after that may be done by another process as well.
 */
export const JobSignal = createParamDecorator((_: unknown, context: ExecutionContext) => context.getArgByIndex(1));

function jobIn(context: ExecutionContext): Job {
  return context.getArgByIndex<Job>(0);
}
