import type { QueueClock } from './queue-clock.js';

/** Counts what was started in the current window of a queue. */
export class RateLimiter {
  readonly #clock: QueueClock;
  #count = 0;
  #until = -Infinity;

  constructor(clock: QueueClock) {
    this.#clock = clock;
  }

  /** Milliseconds left of the window; -2 when there is none. */
  get ttlMs(): number {
    const left = this.#until - this.#clock.now();
    return left > 0 ? left : -2;
  }

  /** Milliseconds until another one may start, 0 when one may now. */
  waitMs(max: number | undefined): number {
    return max !== undefined && this.ttlMs > 0 && this.#count >= max ? this.ttlMs : 0;
  }

  count(durationMs: number): void {
    if (this.ttlMs > 0) this.#count++;
    else this.#open(1, Math.floor(Math.abs(durationMs)));
  }

  /** Lets none start for so long. */
  block(durationMs: number): void {
    this.#open(Number.MAX_SAFE_INTEGER, durationMs);
  }

  /** Whether there was a window. */
  clear(): boolean {
    const open = this.ttlMs > 0;
    this.#until = -Infinity;
    return open;
  }

  #open(count: number, durationMs: number): void {
    this.#count = count;
    this.#until = this.#clock.now() + durationMs;
  }
}
