import { DelayedError, RateLimitError, WaitingChildrenError, WaitingError, type Job } from 'bullmq';
import { within } from '../jobs/deadline.js';
import { JobHandedBackError, JobLockLostError, JobTimeoutError } from '../queue.errors.js';
import type { JobAbort } from './job-abort.js';
import { UntoldEndings } from './untold-endings.js';

/** One job that runs in this process. */
interface Running {
  readonly job: Job;
  readonly token: string;
  readonly abort: JobAbort;
  readonly ended: Promise<unknown>;
}

const LEAST_MS = 1_000;

/** The jobs that run in this process, until they are done or given back. */
export class RunningJobs {
  readonly #running = new Set<Running>();
  readonly #endings = new UntoldEndings();
  /** What was given back, or is about to be, and whether the store has it. */
  readonly #back = new Map<string, Promise<boolean>>();
  #leaving = false;
  #until = 0;
  /** Told all at once when the process has waited. */
  #failures: unknown[] | undefined = [];

  /** Called with what could not be told to the store: the jobs start again when their locks have run out. */
  constructor(private readonly onError: (error: unknown) => void) {}

  get size(): number {
    return this.#running.size;
  }

  /**
   * Runs it, and aborts it when this process shuts down. What fails then is given back, as it may be because of that: no
   * attempt was made. What is late or must not be tried again has failed all the same.
   */
  async run<T>(job: Job, token: string, abort: JobAbort, body: () => Promise<T>): Promise<T> {
    if (this.#leaving) return this.#giveBack(job, token); // taken in the very moment of the shutdown
    const ended = body();
    const running: Running = { job, token, abort, ended };
    this.#running.add(running);
    try {
      const result = await ended;
      if (this.#back.has(keyOf(job))) throw new WaitingError();
      this.#endings.add(keyOf(job));
      return result;
    } catch (error) {
      if (isMove(error)) throw error;
      const stands = (error as Error).name === 'UnrecoverableError' || error instanceof JobTimeoutError;
      const mayBeTold = this.#leaving && abort.reason instanceof JobHandedBackError;
      if (this.#back.has(keyOf(job)) || (mayBeTold && !stands)) return await this.#giveBack(job, token);
      this.#endings.add(keyOf(job));
      throw error;
    } finally {
      this.#running.delete(running);
    }
  }

  /** The store has heard of the end of a job. */
  told(job: Job): void {
    this.#endings.told(keyOf(job));
  }

  /** Tells those whose locks could not be renewed: others may run them by now. Which of them still ran here. */
  lost(queue: string, ids: readonly string[]): readonly string[] {
    const asked = new Set(ids);
    const lost = [...this.#running].filter(
      // What was given back has no lock either.
      ({ job }) => job.queueName === queue && asked.has(job.id!) && !this.#back.has(keyOf(job)),
    );
    for (const { abort } of lost) abort.abort(new JobLockLostError());
    return lost.map(({ job }) => job.id!);
  }

  /** Tells all that the process shuts down. */
  tell(): void {
    this.#leaving = true;
    for (const { abort } of this.#running) abort.abort(new JobHandedBackError());
  }

  /** Waits for so long, and gives back what still runs: another process starts it at once. How many those were. */
  async drain(ms: number): Promise<number> {
    this.#until = performance.now() + ms;
    this.tell();
    const all = [...this.#running].map(({ ended }) => ended);
    await within(ms, Promise.allSettled(all)).catch(() => {}); // what is late is given back below
    const [untold] = await Promise.all([
      this.#endings.settle(this.#leftMs),
      ...[...this.#running].map(({ job, token }) => this.#giveBack(job, token).catch(() => {})), // it is told below
    ]);
    const back = await Promise.all(this.#back.values());
    this.#report(untold);
    return back.filter(Boolean).length;
  }

  /** What is left of the time, and a moment in any case. */
  get #leftMs(): number {
    return Math.max(this.#until - performance.now(), LEAST_MS);
  }

  async #giveBack(job: Job, token: string): Promise<never> {
    const key = keyOf(job);
    const back = this.#back.get(key) ?? this.#moveToWait(job, token);
    this.#back.set(key, back);
    await back;
    throw new WaitingError();
  }

  async #moveToWait(job: Job, token: string): Promise<boolean> {
    try {
      await within(this.#leftMs, job.moveToWait(token));
      return true;
    } catch (error) {
      // In this very moment it has ended.
      if (/Missing lock|Missing key|not in the active state/.test(String(error))) return false;
      if (this.#failures === undefined) this.onError(error);
      else this.#failures.push(error);
      return false;
    }
  }

  #report(untold: number): void {
    const [first] = this.#failures ?? [];
    if (first !== undefined) {
      const message = `${this.#failures!.length} jobs could not be handed back: ${(first as Error).message}`;
      this.onError(new Error(message, { cause: first }));
    }
    if (untold > 0)
      this.onError(new Error(`${untold} jobs have ended, and the store has not heard of it: they run again`));
    this.#failures = undefined;
  }
}

/** It goes on later, and has not ended. */
function isMove(error: unknown): boolean {
  return [DelayedError, WaitingError, WaitingChildrenError, RateLimitError].some((type) => error instanceof type);
}

function keyOf({ queueName, id }: Job): string {
  return `${queueName}/${id}`;
}
