import { ErrorCode, UnrecoverableError } from 'bullmq';

export interface FailedCommand {
  readonly command: string;
  readonly jobId?: string;
  readonly parentKey?: string;
  /** The state in which the job should have been. */
  readonly state?: string;
}

/** An error in BullMQ's own words, which applications and its classes know, with its code. */
export function jobFailure(code: ErrorCode, failed: FailedCommand): Error {
  const message = `${messageOf(code, failed)}${code === ErrorCode.JobLockMismatch ? '' : `. ${failed.command}`}`;
  const error = code === ErrorCode.JobHasFailedChildren ? new UnrecoverableError(message) : new Error(message);
  return Object.assign(error, { code });
}

function messageOf(code: ErrorCode, { command, jobId, parentKey, state }: FailedCommand): string {
  switch (code) {
    case ErrorCode.JobNotExist:
      return `Missing key for job ${jobId}`;
    case ErrorCode.JobLockNotExist:
      return `Missing lock for job ${jobId}`;
    case ErrorCode.JobNotInState:
      return `Job ${jobId} is not in the ${state} state`;
    case ErrorCode.JobPendingChildren:
      return `Job ${jobId} has pending dependencies`;
    case ErrorCode.ParentJobNotExist:
      return `Missing key for parent job ${parentKey}`;
    case ErrorCode.JobLockMismatch:
      return `Lock mismatch for job ${jobId}. Cmd ${command} from ${state}`;
    case ErrorCode.ParentJobCannotBeReplaced:
      return `The parent job ${parentKey} cannot be replaced`;
    case ErrorCode.JobBelongsToJobScheduler:
      return `Job ${jobId} belongs to a job scheduler and cannot be removed directly`;
    case ErrorCode.JobHasFailedChildren:
      return `Cannot complete job ${jobId} because it has at least one failed child`;
    case ErrorCode.SchedulerJobIdCollision:
      return 'Cannot create job scheduler iteration - job ID already exists';
    case ErrorCode.SchedulerJobSlotsBusy:
      return 'Cannot create job scheduler iteration - current and next time slots already have jobs';
  }
}
