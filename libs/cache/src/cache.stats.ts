import type { CacheMetrics } from './cache.metrics.js';

/** What a process has counted since it started. The first five are the report that operators ask for. */
export interface CacheStats {
  /** Of what was asked for, how much was answered without waiting for a load: `85%`. */
  readonly cache_hit_rate: string;
  readonly avg_cache_response_ms: number;
  readonly avg_uncached_response_ms: number;
  /** Loads that the last 24 hours did without. */
  readonly daily_api_calls_saved: number;
  /** By the configured cost of a load: `$12.00/day`; null without one. */
  readonly estimated_cost_savings: string | null;
  readonly hits: { readonly near: number; readonly redis: number; readonly stale: number };
  readonly misses: number;
  readonly loads: { readonly ok: number; readonly failed: number };
  /** Loads that an invalidation kept from storing their result. */
  readonly fenced: number;
  /** Answered past Redis, because it was away. */
  readonly bypassed: number;
  /** Returned and not stored, because of their size. */
  readonly oversize: number;
  readonly near: { readonly entries: number; readonly bytes: number; readonly coherent: boolean };
  readonly pendingInvalidations: number;
}

const HOUR_MS = 3_600_000;
/** Of so many answers from this process one is timed: looking at the clock would cost as much as the answer. */
const TIMED_OF = 64;

/** The durations and days behind {@link CacheStats}. */
export class AnswerTimes {
  readonly #cached = { count: 0, totalMs: 0 };
  readonly #uncached = { count: 0, totalMs: 0 };
  /** How many there had been when each of the last 24 hours began. */
  readonly #marks = new Array<number>(24).fill(0);
  #hour: number;
  #near = 0;

  constructor(
    /** How many answers there have been without a load. */
    private readonly saved: () => number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#hour = Math.floor(now() / HOUR_MS);
  }

  /** When this answer from this process began, if it is one that is timed. */
  nearBegins(): number | undefined {
    return this.#near++ % TIMED_OF === 0 ? this.now() : undefined;
  }

  nearEnds(beganAt: number): void {
    this.#cached.count += TIMED_OF;
    this.#cached.totalMs += (this.now() - beganAt) * TIMED_OF;
    this.#turn();
  }

  cached(beganAt: number): void {
    this.#cached.count++;
    this.#cached.totalMs += this.now() - beganAt;
    this.#turn();
  }

  uncached(beganAt: number): void {
    this.#uncached.count++;
    this.#uncached.totalMs += this.now() - beganAt;
  }

  get averages(): { readonly cachedMs: number; readonly uncachedMs: number } {
    return { cachedMs: averageOf(this.#cached), uncachedMs: averageOf(this.#uncached) };
  }

  /** Answers without a load in this hour and the 23 before it. */
  get savedToday(): number {
    this.#turn();
    return this.saved() - this.#marks[(this.#hour + 1) % 24]!;
  }

  #turn(): void {
    const hour = Math.floor(this.now() / HOUR_MS);
    if (hour === this.#hour) return;
    for (let each = Math.max(this.#hour + 1, hour - 23); each <= hour; each++) this.#marks[each % 24] = this.saved();
    this.#hour = hour;
  }
}

function averageOf({ count, totalMs }: { readonly count: number; readonly totalMs: number }): number {
  return count === 0 ? 0 : Math.round((totalMs / count) * 1_000) / 1_000;
}

/** What a report is made from. */
export interface StatsParts {
  readonly totals: ReturnType<CacheMetrics['totals']>;
  readonly times: AnswerTimes;
  readonly cost: { readonly perLoad: number; readonly currency: string } | undefined;
  readonly near: CacheStats['near'];
  readonly pendingInvalidations: number;
}

export function reportOf({ totals, times, cost, near, pendingInvalidations }: StatsParts): CacheStats {
  const hits = totals.near + totals.redis + totals.stale;
  const asked = hits + totals.misses;
  const { cachedMs, uncachedMs } = times.averages;
  const saved = times.savedToday;
  return {
    cache_hit_rate: asked === 0 ? '0%' : `${Math.round((100 * hits) / asked)}%`,
    avg_cache_response_ms: cachedMs,
    avg_uncached_response_ms: uncachedMs,
    daily_api_calls_saved: saved,
    estimated_cost_savings: cost === undefined ? null : `${cost.currency}${(saved * cost.perLoad).toFixed(2)}/day`,
    hits: { near: totals.near, redis: totals.redis, stale: totals.stale },
    misses: totals.misses,
    loads: { ok: totals.ok, failed: totals.failed },
    fenced: totals.fenced,
    bypassed: totals.bypassed,
    oversize: totals.oversize,
    near,
    pendingInvalidations,
  };
}
