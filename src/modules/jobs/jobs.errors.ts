import { RoostError } from '@roost/redis';

/** Thrown when no job has the id, or it is not kept any more. HTTP 404. */
export class JobUnknownError extends RoostError {
  static override readonly code: string = 'job.unknown';
  override readonly httpStatus: number = 404;

  constructor() {
    super('There is no such job, or it is not kept any more.');
  }
}
