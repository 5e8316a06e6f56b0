import type { QueueClock } from './queue-clock.js';

/** A worker that has nothing to do. */
export interface JobWaiter {
  /** When it could do something, by the clock in ms; undefined as long as nothing changes. */
  dueAt(): number | undefined;
  wake(): void;
}

// A longer timer would fire at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The idle workers of a queue, in the order in which they came. */
export class JobWaiters {
  readonly #clock: QueueClock;
  readonly #waiting = new Set<JobWaiter>();
  #timer: object | undefined;

  constructor(clock: QueueClock) {
    this.#clock = clock;
  }

  /** Gives back how to wait no more. */
  add(waiter: JobWaiter): () => void {
    this.#waiting.add(waiter);
    this.check();
    return () => {
      this.#waiting.delete(waiter);
      if (this.#waiting.size === 0) this.#stopTimer();
    };
  }

  /** To be called whenever a job may have become due: wakes one, who calls again when it has taken it. */
  check(): void {
    this.#stopTimer();
    if (this.#waiting.size === 0) return;
    const now = this.#clock.now();
    let next = Infinity;
    for (const waiter of this.#waiting) {
      const dueAt = waiter.dueAt() ?? Infinity;
      if (dueAt <= now) {
        this.#waiting.delete(waiter);
        waiter.wake();
        return;
      }
      next = Math.min(next, dueAt);
    }
    if (next === Infinity) return;
    this.#timer = this.#clock.setTimeout(() => this.check(), Math.min(next - now, LONGEST_TIMER_MS));
  }

  /** Wakes nobody any more. */
  clear(): void {
    this.#waiting.clear();
    this.#stopTimer();
  }

  #stopTimer(): void {
    if (this.#timer) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
