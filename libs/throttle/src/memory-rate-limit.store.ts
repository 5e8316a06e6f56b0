import type { Key } from '@roost/redis';
import {
  charged,
  fits,
  remainingOf,
  resetUsOf,
  retryUsOf,
  usToMs,
  type Algorithm,
  type AlgorithmName,
  type Level,
} from './algorithm.js';
import { fixedWindow } from './fixed-window.js';
import { gcra } from './gcra.js';
import { RateLimitStore, type DecideMode, type LimitRequest, type StoreVerdict } from './rate-limit.store.js';

export interface MemoryRateLimitStoreOptions {
  /** How many limits are remembered; beyond it the one unused for longest is forgotten. @default 100_000 */
  readonly maxEntries?: number;
  /** The clock, in µs since the epoch. @default this process' clock, which never steps back */
  readonly nowUs?: () => number;
  /** How often expired entries are removed, in ms. @default 5_000 */
  readonly sweepMs?: number;
  /** Called when a limit is forgotten before its time. */
  readonly onEvict?: () => void;
}

interface Entry {
  readonly state: unknown;
  readonly expiresUs: number;
}

const ALGORITHMS: Record<AlgorithmName, Algorithm<unknown>> = { gcra, 'fixed-window': fixedWindow };

/** Counts in this process, with the same results as Redis. Bounded: when full, forgets whom it has not seen for longest. */
export class MemoryRateLimitStore extends RateLimitStore {
  // A Map keeps insertion order, and every request inserts anew: the first entry is the one unused for longest.
  readonly #entries = new Map<string, Entry>();
  // Kept from one eviction to the next, because a Map leaves holes where entries were deleted, and a new iterator walks
  // over all of them; but not for longer, because it keeps every table alive that the Map has outgrown since.
  #oldest: MapIterator<[string, Entry]> | undefined;
  readonly #maxEntries: number;
  readonly #nowUs: () => number;
  readonly #onEvict: (() => void) | undefined;
  readonly #sweeper: NodeJS.Timeout;
  #evicted = 0;

  constructor(options: MemoryRateLimitStoreOptions = {}) {
    super();
    const { maxEntries = 100_000, nowUs = processClockUs, sweepMs = 5_000, onEvict } = options;
    this.#maxEntries = maxEntries;
    this.#nowUs = nowUs;
    this.#onEvict = onEvict;
    // One timer for all keys, made here and not in the first request, whose async context it would keep alive.
    this.#sweeper = setInterval(() => this.sweep(), sweepMs).unref();
  }

  decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    try {
      return Promise.resolve(this.#decide(limits, mode));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  reset(keys: readonly Key[]): Promise<number> {
    return Promise.resolve(keys.filter((key) => this.#entries.delete(key.name)).length);
  }

  /** How many limits are remembered now. */
  get size(): number {
    return this.#entries.size;
  }

  /** How many limits were forgotten before their time because the store was full. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Forgets what has expired. */
  sweep(): void {
    const nowUs = this.#nowUs();
    for (const [name, entry] of this.#entries) if (entry.expiresUs <= nowUs) this.#entries.delete(name);
    this.#oldest = undefined;
  }

  /** Stops sweeping and forgets everything. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#entries.clear();
  }

  #decide(limits: readonly LimitRequest[], mode: DecideMode): StoreVerdict {
    const nowUs = this.#nowUs();
    const levels = limits.map((limit) => this.#levelOf(limit, nowUs));
    const fit = limits.map((limit, i) => fits(levels[i]!, limit.limit, limit.cost));
    const allowed = !fit.includes(false);
    if (!allowed && mode === 'consume') for (const { key } of limits) this.#touch(key.name);
    return {
      allowed,
      limits: limits.map((limit, i) => {
        let level = levels[i]!;
        if (allowed && mode === 'consume' && limit.cost > 0) {
          level = charged(level, limit.cost);
          this.#remember(limit, level, nowUs);
        }
        const retryUs = fit[i]! ? 0 : retryUsOf(level, limit.limit, limit.cost);
        return {
          allowed: fit[i]!,
          remaining: remainingOf(level),
          retryAfterMs: retryUs === null ? null : usToMs(retryUs),
          resetAfterMs: usToMs(resetUsOf(level)),
        };
      }),
    };
  }

  #levelOf(limit: LimitRequest, nowUs: number): Level {
    return ALGORITHMS[limit.algorithm].level(this.#entries.get(limit.key.name)?.state, limit, nowUs);
  }

  #remember(limit: LimitRequest, level: Level, nowUs: number): void {
    this.#entries.delete(limit.key.name);
    if (this.#entries.size >= this.#maxEntries) this.#evict(nowUs);
    this.#entries.set(limit.key.name, {
      state: ALGORITHMS[limit.algorithm].state(level, limit, nowUs),
      expiresUs: nowUs + resetUsOf(level),
    });
  }

  /** Who keeps trying is remembered as long as who gets in. */
  #touch(name: string): void {
    const entry = this.#entries.get(name);
    if (!entry) return;
    this.#entries.delete(name);
    this.#entries.set(name, entry);
  }

  #evict(nowUs: number): void {
    let next = this.#oldest?.next();
    if (!next || next.done) next = (this.#oldest = this.#entries.entries()).next();
    if (next.done) return;
    const [name, { expiresUs }] = next.value;
    this.#entries.delete(name);
    if (expiresUs <= nowUs) return;
    this.#evicted++;
    this.#onEvict?.();
  }
}

function processClockUs(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1_000);
}
