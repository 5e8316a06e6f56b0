import type { LimitRequest } from '../stores/rate-limit.store.js';

/** A lease is to last about so long. */
const AIM_MS = 5;
/** A lease holds at most this share of the limit. */
const SHARE = 20;
/** Smaller ones are not worth a thought. */
const LEAST = 4;

/** How fast a key spends units, and so how many it should take at once. */
export class LeaseSize {
  /** What the limit had left when Redis last said so. */
  remaining = Infinity;
  #perMs = 0;
  #sum = 0;
  #sinceMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** Notes that units are asked for. */
  count(cost: number, nowMs: number): void {
    const passedMs = nowMs - this.#sinceMs;
    if (passedMs >= AIM_MS) {
      const perMs = this.#sum / passedMs;
      this.#perMs = passedMs > 4 * AIM_MS ? perMs : (this.#perMs + perMs) / 2;
      this.#sum = 0;
      this.#sinceMs = nowMs;
    }
    this.#sum += cost;
  }

  /** How many units to take; 0 when it is not worth it, or when so little is left that others need it, too. */
  of({ algorithm, limit, windowUs }: LimitRequest, processes: number): number {
    let perMs = this.#perMs;
    const refill = algorithm === 'gcra' ? (limit * 1_000) / windowUs : 0;
    if (perMs < refill) {
      // Part of it will melt, and be gone for others: not from a limit that is half used.
      if (this.remaining < limit / 2) return 0;
      perMs = Math.min(refill, 4 * perMs);
    }
    const size = Math.floor(Math.min(perMs * AIM_MS, limit / SHARE));
    return size < LEAST || this.remaining < processes * size ? 0 : size;
  }
}
