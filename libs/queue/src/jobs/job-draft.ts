import type { JobsOptions } from 'bullmq';

/** A job that was checked and is ready to be added, at once or after a stay in the outbox. */
export interface JobDraft {
  readonly queue: string;
  /** By which adding it twice adds it once. */
  readonly id: string;
  readonly name: string;
  /** Plain JSON: it survives a stay in the outbox unchanged. */
  readonly data: unknown;
  /** What BullMQ is given, `jobId` included. Plain JSON as well. */
  readonly options: JobsOptions;
}
