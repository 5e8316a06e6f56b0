import { WaitingError, type Job } from 'bullmq';
import { within } from '../jobs/deadline.js';
import { JobHandedBackError, JobLockLostError } from '../queue.errors.js';

/** One job that runs in this process. */
interface Running {
  readonly job: Job;
  readonly token: string;
  readonly abort: AbortController;
  readonly ended: Promise<unknown>;
  handedBack: boolean;
}

const HAND_BACK_WITHIN_MS = 1_000;

/** The jobs that run in this process, until they are done or given back. */
export class RunningJobs {
  readonly #running = new Set<Running>();
  /** What ended while the process shuts down, and when the store has heard of it. */
  readonly #endings: Promise<void>[] = [];
  readonly #untold = new Map<string, () => void>();
  #leaving = false;

  /** Called with what could not be told to the store: the job starts again when its lock has run out. */
  constructor(private readonly onError: (error: unknown) => void) {}

  get size(): number {
    return this.#running.size;
  }

  /**
   * Runs it with a signal that aborts when this process shuts down. What stops because of that is given back: no attempt
   * was made.
   */
  async run<T>(job: Job, token: string, abort: AbortController, body: () => Promise<T>): Promise<T> {
    if (this.#leaving) return this.#giveBack(job, token); // taken in the very moment of the shutdown
    const ended = body();
    const running: Running = { job, token, abort, ended, handedBack: false };
    this.#running.add(running);
    try {
      const result = await ended;
      this.#expectToBeTold(job);
      return result;
    } catch (error) {
      if (running.handedBack) throw new WaitingError();
      if (this.#leaving && abort.signal.aborted) return await this.#giveBack(job, token);
      throw error;
    } finally {
      this.#running.delete(running);
    }
  }

  /** The store has heard of the end of a job. */
  told(job: Job): void {
    this.#untold.get(keyOf(job))?.();
  }

  /** Tells those whose locks could not be renewed: others may run them by now. */
  lost(queue: string, ids: readonly string[]): void {
    for (const { job, abort } of this.#running) {
      if (job.queueName === queue && ids.includes(job.id!)) abort.abort(new JobLockLostError());
    }
  }

  /** Tells all that the process shuts down. */
  tell(): void {
    this.#leaving = true;
    for (const { abort } of this.#running) abort.abort(new JobHandedBackError());
  }

  /** Waits for so long, and gives back what still runs: another process starts it at once. How many those were. */
  async drain(ms: number): Promise<number> {
    this.tell();
    const all = [...this.#running].map(({ ended }) => ended);
    await within(ms, Promise.allSettled(all)).catch(() => {}); // what is late is given back below
    // Closed before the store has heard of it, a job that is done would run again.
    await within(HAND_BACK_WITHIN_MS, Promise.all(this.#endings)).catch(() => {}); // a store that is lost hears of nothing
    const late = [...this.#running];
    await Promise.all(
      late.map(async (running) => {
        running.handedBack = true;
        await this.#moveToWait(running.job, running.token);
      }),
    );
    return late.length;
  }

  #expectToBeTold(job: Job): void {
    if (!this.#leaving) return;
    this.#endings.push(
      new Promise((resolve) => {
        this.#untold.set(keyOf(job), resolve);
      }),
    );
  }

  async #giveBack(job: Job, token: string): Promise<never> {
    await this.#moveToWait(job, token);
    throw new WaitingError();
  }

  async #moveToWait(job: Job, token: string): Promise<void> {
    await within(HAND_BACK_WITHIN_MS, job.moveToWait(token)).catch((error: unknown) => {
      // It ended in this very moment.
      if (!/Missing lock|Missing key|not in the active state/.test(String(error))) this.onError(error);
    });
  }
}

function keyOf({ queueName, id }: Job): string {
  return `${queueName}/${id}`;
}
