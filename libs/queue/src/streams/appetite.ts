/** For how long one process keeps messages waiting that another one could handle meanwhile, about, in ms. */
const AHEAD_MS = 100;
/** The share of the newest handling in the average. */
const NEWEST = 0.1;

/** Decides how far to read ahead: a lot where handlers are quick, nothing where they are slow. */
export class Appetite {
  #averageMs: number | undefined;

  constructor(
    private readonly concurrency: number,
    private readonly batch: number,
  ) {}

  /** So long a handler took. */
  took(ms: number): void {
    this.#averageMs = this.#averageMs === undefined ? ms : this.#averageMs + (ms - this.#averageMs) * NEWEST;
  }

  /** How many to read when so many wait or run; 0 while it is not worth a command. */
  count(active: number): number {
    const limit = this.#limit;
    if (limit > this.concurrency && active > limit / 2) return 0;
    return Math.max(Math.min(limit - active, this.batch), 0);
  }

  get #limit(): number {
    if (this.#averageMs === undefined) return this.concurrency;
    const ahead = Math.floor((this.concurrency * AHEAD_MS) / Math.max(this.#averageMs, 0.01));
    return this.concurrency + Math.min(ahead, 2 * this.batch);
  }
}
