import { InvalidOptionsError, show } from '@roost/redis';
import type { Job, Queue } from 'bullmq';
import { integerIn, isText } from '../options.check.js';
import type { Ask } from './deadline.js';

/** A job that failed for good. */
export interface DeadLetter {
  readonly id: string;
  readonly name: string;
  readonly data: unknown;
  readonly failedReason: string;
  readonly attemptsMade: number;
  readonly failedAt: Date;
}

/** Jobs of one queue that failed for good: no attempt is left, or none would help. Kept for `keepFailed`. */
export class DeadLetters {
  constructor(
    private readonly queue: Queue,
    private readonly ask: Ask,
  ) {}

  async count(): Promise<number> {
    return this.ask(() => this.queue.getFailedCount());
  }

  /**
   * The newest first.
   * @throws InvalidOptionsError for a limit that is not an integer from 0.
   */
  async list(limit = 100): Promise<readonly DeadLetter[]> {
    checkLimit('list', limit);
    if (limit === 0) return []; // BullMQ would take it for all
    const jobs = await this.ask(() => this.queue.getFailed(0, limit - 1));
    return jobs.map((job) => letterOf(job));
  }

  /** Lets a job start anew, with all its attempts. Whether it was there. */
  async redrive(id: string): Promise<boolean> {
    if (!isText(id)) {
      throw new InvalidOptionsError('DeadLetters.redrive', [`Expected \`id\` to be that of a job, got ${show(id)}`]);
    }
    const job = await this.ask(() => this.queue.getJob(id));
    if (job === undefined || !(await this.ask(() => job.isFailed()))) return false;
    try {
      await this.ask(() => job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true }));
    } catch (error) {
      if (/not in the failed state|Missing key/.test(String(error))) return false; // somebody else was quicker
      throw error;
    }
    return true;
  }

  /** The same for the newest of them, one after the other. How many there were. */
  async redriveAll(limit = 1_000): Promise<number> {
    checkLimit('redriveAll', limit);
    let redriven = 0;
    for (const { id } of await this.list(limit)) if (await this.redrive(id)) redriven++;
    return redriven;
  }
}

function checkLimit(method: string, limit: number): void {
  const problems: string[] = [];
  integerIn('limit', limit, 0, problems);
  if (problems.length > 0) throw new InvalidOptionsError(`DeadLetters.${method}`, problems);
}

function letterOf(job: Job): DeadLetter {
  return {
    id: job.id!,
    name: job.name,
    data: job.data as unknown,
    failedReason: job.failedReason,
    attemptsMade: job.attemptsMade,
    failedAt: new Date(job.finishedOn ?? job.timestamp),
  };
}
