import { usToMs } from '../algorithms/algorithm.js';
import { algorithms } from '../algorithms/verdict.js';
import { fixedWindowAt } from '../algorithms/windows.js';
import type { LimitRequest, LimitVerdict } from '../stores/rate-limit.store.js';
import { snapshotOf } from './shape.js';

/** What was taken is spent or given back after this time. */
export const LEASE_MS = 20;

/** What Redis said when units were taken. */
export interface Taken {
  /** How many are spare: charged, and not spent yet. */
  readonly units: number;
  /** How many of the limit were spent by this process, and are surely not refilled yet. */
  readonly spent: number;
  /** What the limit had used with all that was taken: µs for gcra, else a count. */
  readonly used: number;
  /** Redis' clock, in µs. */
  readonly nowUs: number;
  /** When they were asked for and when they came, in monotonic ms. */
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
}

/**
 * Units of one limit that are charged in Redis already and spent here.
 *
 * Those of a window end strictly before the window does. Those of gcra melt: a unit that is held back while the bucket is
 * full, but for what is held, would come on top of a full one. Nobody knows how full it is but for what he spent himself,
 * so a lease melts as fast as the bucket refills, except while that refills what this process has spent. Then what all
 * processes hold and what Redis has left are together never more than what a bucket would have without leases.
 *
 * Times count from when the lease was asked for, which was before it was taken.
 */
export class Lease {
  readonly endsAtMs: number;
  readonly #perMs: number;
  readonly #unit: number;
  readonly #remaining: number;
  readonly #resetMs: number;
  #left: number;
  #spent: number;
  #atMs: number;

  constructor(
    readonly limit: LimitRequest,
    private readonly taken: Taken,
  ) {
    const { units, spent, used, nowUs, askedAtMs } = taken;
    const algorithm = algorithms[limit.algorithm];
    const snapshot = snapshotOf(limit, used, nowUs);
    const steady = limit.algorithm === 'gcra';
    this.#unit = algorithm.unit(limit);
    this.#remaining = algorithm.remaining(snapshot, limit, nowUs);
    this.#resetMs = usToMs(algorithm.resetUs(snapshot, limit, nowUs));
    this.#perMs = steady ? 1_000 / this.#unit : 0;
    this.#left = units;
    this.#spent = spent;
    this.#atMs = askedAtMs;
    const windowMs = steady ? Infinity : (fixedWindowAt(limit.windowUs, nowUs).endsUs - nowUs) / 1_000;
    this.endsAtMs = askedAtMs + Math.min(LEASE_MS, windowMs);
  }

  /** Units that may be spent now. */
  usable(nowMs: number): number {
    if (nowMs >= this.endsAtMs) return 0;
    this.#pass(nowMs);
    return Math.floor(this.#left);
  }

  /** Spends units, if there are enough. */
  spend(cost: number, nowMs: number): LimitVerdict | undefined {
    const usable = this.usable(nowMs);
    if (usable < cost) return undefined;
    this.#left -= cost;
    this.#spent += cost;
    const resetMs = this.#resetMs - Math.floor(nowMs - this.taken.askedAtMs);
    return {
      allowed: true,
      remaining: this.#remaining + usable - cost,
      retryAfterMs: 0,
      resetAfterMs: Math.max(resetMs, 1),
      blocked: false,
    };
  }

  /** How much of what was spent here is surely not refilled yet: it goes with the next lease. */
  spent(nowMs: number): number {
    this.#pass(nowMs);
    return this.#spent;
  }

  /** What Redis may have back (µs for gcra, else a count), and since when that goes on melting, by Redis' clock. */
  rest(nowMs: number): { readonly left: number; readonly sinceUs: number } {
    this.#pass(nowMs);
    const { nowUs, answeredAtMs } = this.taken;
    const passedMs = this.#perMs === 0 ? 0 : Math.max(nowMs - answeredAtMs, 0);
    return { left: Math.floor(this.#left * this.#unit), sinceUs: nowUs + Math.floor(passedMs * 1_000) };
  }

  #pass(nowMs: number): void {
    const refilled = (nowMs - this.#atMs) * this.#perMs;
    this.#atMs = nowMs;
    if (refilled <= this.#spent) {
      this.#spent -= refilled;
      return;
    }
    this.#left = Math.max(this.#left - refilled + this.#spent, 0);
    this.#spent = 0;
  }
}
