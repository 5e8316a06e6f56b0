import type { Key } from '@roost/redis';
import { charged, fits, resetUsOf, type Level } from '../algorithms/algorithm.js';
import { RateLimitStore, type DecideMode, type LimitRequest, type StoreVerdict } from './rate-limit.store.js';
import { Recency, type Entry } from './recency.js';
import { algorithms, verdictOf } from '../algorithms/verdict.js';

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

interface Counted {
  state: unknown;
  expiresUs: number;
}

/** Counts in this process, with the same results as Redis. Bounded: when full, forgets whom it has not seen for longest. */
export class MemoryRateLimitStore extends RateLimitStore {
  readonly #entries = new Recency<Counted>();
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

  override decideNow(limits: readonly LimitRequest[], mode: DecideMode): StoreVerdict | undefined {
    return this.#decide(limits, mode);
  }

  reset(keys: readonly Key[]): Promise<number> {
    const found = keys.map((key) => this.#entries.find(key.name)).filter((entry) => entry !== undefined);
    for (const entry of found) this.#entries.delete(entry);
    return Promise.resolve(found.length);
  }

  settle(): Promise<number> {
    return Promise.reject(new Error('not yet'));
  }

  renew(): Promise<number> {
    return Promise.reject(new Error('not yet'));
  }

  adjust(): Promise<never> {
    return Promise.reject(new Error('not yet'));
  }

  block(): Promise<void> {
    return Promise.reject(new Error('not yet'));
  }

  unblock(): Promise<number> {
    return Promise.reject(new Error('not yet'));
  }

  violations(): Promise<never> {
    return Promise.reject(new Error('not yet'));
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
    for (const entry of this.#entries) if (entry.value.expiresUs <= nowUs) this.#entries.delete(entry);
  }

  /** Stops sweeping and forgets everything. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#entries.clear();
  }

  #decide(limits: readonly LimitRequest[], mode: DecideMode): StoreVerdict {
    return limits.length === 1 ? this.#decideOne(limits[0]!, mode) : this.#decideSeveral(limits, mode);
  }

  #decideOne(limit: LimitRequest, mode: DecideMode): StoreVerdict {
    const nowUs = this.#nowUs();
    const algorithm = algorithms[limit.algorithm];
    const entry = this.#entries.find(limit.key.name);
    const level = algorithm.level(entry?.value.state, limit, nowUs);
    const allowed = fits(level, limit.limit, limit.cost);
    if (!allowed || mode === 'peek' || limit.cost === 0) {
      if (entry && !allowed && mode === 'consume') this.#entries.use(entry);
      return { allowed, limits: [verdictOf(level, limit, allowed)] };
    }
    const after = charged(level, limit.cost);
    this.#remember(entry, limit, after, nowUs);
    return { allowed, limits: [verdictOf(after, limit, true)] };
  }

  #decideSeveral(limits: readonly LimitRequest[], mode: DecideMode): StoreVerdict {
    const nowUs = this.#nowUs();
    const entries = limits.map(({ key }) => this.#entries.find(key.name));
    const levels = limits.map((limit, i) => algorithms[limit.algorithm].level(entries[i]?.value.state, limit, nowUs));
    const allowed = limits.every(({ limit, cost }, i) => fits(levels[i]!, limit, cost));
    // Who keeps trying is remembered as long as who gets in.
    if (!allowed && mode === 'consume') for (const entry of entries) if (entry) this.#entries.use(entry);
    return {
      allowed,
      limits: limits.map((limit, i) => {
        const level = levels[i]!;
        if (!allowed) return verdictOf(level, limit, fits(level, limit.limit, limit.cost));
        if (mode === 'peek' || limit.cost === 0) return verdictOf(level, limit, true);
        const after = charged(level, limit.cost);
        // Found anew: one limit may have pushed out another.
        this.#remember(this.#entries.find(limit.key.name), limit, after, nowUs);
        return verdictOf(after, limit, true);
      }),
    };
  }

  #remember(entry: Entry<Counted> | undefined, limit: LimitRequest, level: Level, nowUs: number): void {
    const state = algorithms[limit.algorithm].state(level, limit, nowUs);
    const expiresUs = nowUs + resetUsOf(level);
    if (entry) {
      entry.value.state = state;
      entry.value.expiresUs = expiresUs;
      this.#entries.use(entry);
    } else {
      if (this.#entries.size >= this.#maxEntries) this.#evict(nowUs);
      this.#entries.add(limit.key.name, { state, expiresUs });
    }
  }

  #evict(nowUs: number): void {
    const oldest = this.#entries.oldest!;
    this.#entries.delete(oldest);
    if (oldest.value.expiresUs <= nowUs) return;
    this.#evicted++;
    this.#onEvict?.();
  }
}

const { timeOrigin } = performance;

function processClockUs(): number {
  return Math.floor((timeOrigin + performance.now()) * 1_000);
}
