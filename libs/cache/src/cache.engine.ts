import type { Key } from '@roost/redis';
import type { CacheKeys, Slot } from './cache.keys.js';
import type { CacheMetrics } from './cache.metrics.js';
import type { CacheOptions, CacheResult, CacheSource, Loader } from './cache.options.js';
import type { Plan, Plans } from './cache.plan.js';
import type { AnswerTimes } from './cache.stats.js';
import type { OutageValues } from './invalidation/outage-values.js';
import type { PendingInvalidations } from './invalidation/pending-invalidations.js';
import { isDue } from './loading/eager.js';
import type { Landing } from './loading/journey.js';
import type { Loads } from './loading/loads.js';
import { waitFor } from './loading/patience.js';
import type { ServerClock } from './near/server-clock.js';
import { NOTHING_SEEN, type Reader, type Seen } from './reader.js';
import { failureError } from './values/failure.js';
import { isFresh, isKept, type Held } from './values/held.js';

/** What answers stand on. */
export interface EngineParts {
  readonly keys: CacheKeys;
  /** Whether the store may be asked about this key: it is there, and has forgotten nothing. */
  readonly mayAsk: (key: string) => boolean;
  /** Resolves when that is known; undefined when it is. */
  readonly settling: () => Promise<void> | undefined;
  readonly reader: Reader;
  readonly loads: Loads;
  readonly plans: Plans;
  readonly clock: ServerClock;
  readonly pending: PendingInvalidations;
  readonly outage: OutageValues;
  readonly metrics: CacheMetrics;
  readonly times: AnswerTimes;
  /** Takes in that the store failed. */
  readonly report: (error: unknown) => void;
}

/** Answers: from this process, from the store, by a load, or past a store that is away. */
export class CacheEngine {
  constructor(private readonly parts: EngineParts) {}

  /** What this process has and may serve. */
  peek<T>(key: string): CacheResult<T> | undefined {
    const held = this.near(key);
    return held && this.result<T>(held, 'near');
  }

  /** The fresh value of this process. */
  near(key: string): Held | undefined {
    const { reader, clock, times, metrics } = this.parts;
    const beganAt = times.nearBegins();
    const found = reader.near(key);
    if (found === undefined || found.held.freshUntil <= clock.now()) return undefined;
    metrics.answered('hit_near');
    if (beganAt !== undefined) times.nearEnds(beganAt);
    return found.held;
  }

  /** The fresh value, wherever it is. */
  async find(key: string): Promise<{ readonly held: Held; readonly source: CacheSource } | undefined> {
    const { keys, metrics, times } = this.parts;
    const beganAt = performance.now();
    const { entry } = keys.slot(key);
    const seen = await this.#look(key, entry);
    if (seen === undefined) {
      metrics.answered('bypass');
      const held = this.parts.outage.get(entry.name);
      return held && { held, source: 'near' };
    }
    const held = isFresh(seen.held, this.parts.clock.now()) ? seen.held : undefined;
    metrics.answered(held === undefined ? 'miss' : 'hit_redis');
    if (held === undefined) return undefined;
    times.cached(beganAt);
    return { held, source: 'redis' };
  }

  /** Resolves when it is known whether the store may be asked: after a lost link it takes a moment. */
  async settled(): Promise<void> {
    await this.parts.settling();
  }

  /** Whether the store is asked about this key. */
  reachable(key: string): boolean {
    const { mayAsk, pending } = this.parts;
    if (!mayAsk(key)) return false;
    if (pending.size === 0) return true;
    void pending.tryNow();
    return false;
  }

  /** The value, loaded when there is none. */
  async fetch<T>(key: string, loader: Loader<T>, options: CacheOptions | undefined): Promise<CacheResult<T>> {
    const { keys, plans, loads, times } = this.parts;
    const plan = plans.of(options);
    const beganAt = performance.now();
    const slot = keys.slot(key);
    const { name } = slot.entry;
    let seen: Seen = NOTHING_SEEN;
    let flight = loads.running(name, key);
    // What a load found before it began may be void for those who come later: they look for themselves.
    if (flight === undefined || flight.journey.seen.held !== undefined) {
      const found = this.parts.reader.near(key);
      const asked =
        found === undefined
          ? await this.#look(key, slot.entry, true)
          : { held: found.held, version: found.held.version };
      if (asked === undefined) return this.#past<T>(key, slot, loader, plan, beganAt);
      seen = asked;
      const fresh =
        seen.held && this.#fresh<T>(seen.held, found ? 'near' : 'redis', { key, slot, plan, loader, beganAt });
      if (fresh !== undefined) return fresh;
      flight = loads.running(name, key); // somebody may have begun meanwhile
    }
    const stale = isKept(seen.held, this.parts.clock.now()) ? seen.held : undefined;
    if (stale !== undefined && loads.failedLately(name)) return this.#stale<T>(stale, beganAt);
    // An invalidation that came meanwhile may be pending.
    flight ??= loads.start({ key, slot, plan, loader, seen, alone: !this.reachable(key), background: false });
    const landing = await waitFor(flight, plan, stale, this.parts.clock);
    if (landing === undefined) return this.#stale<T>(stale!, beganAt);
    this.parts.metrics.answered('miss');
    times.uncached(beganAt);
    return this.#landed<T>(landing);
  }

  /** What the store has; undefined while it is away, or has not heard of every invalidation. */
  async #look(key: string, entry: Key, together = false): Promise<Seen | undefined> {
    if (!this.reachable(key)) {
      await this.settled();
      if (!this.reachable(key)) return undefined;
    }
    const { reader } = this.parts;
    try {
      return await (together ? reader.read(key, entry) : reader.look(key, entry));
    } catch (error) {
      this.parts.report(error);
      return undefined;
    }
  }

  #fresh<T>(
    held: Held,
    source: CacheSource,
    asked: { key: string; slot: Slot; plan: Plan; loader: Loader<T>; beganAt: number },
  ): CacheResult<T> | undefined {
    const { clock, loads, metrics, times } = this.parts;
    const now = clock.now();
    if (held.freshUntil <= now) return undefined;
    if (held.failure !== undefined) throw failureError(held.failure, held.freshUntil - now);
    const { key, slot, plan, loader, beganAt } = asked;
    if (plan.eager !== undefined && isDue(plan.eager, held, now)) {
      const seen = { held, version: held.version };
      loads.refresh({ key, slot, plan, loader, seen, alone: false, background: true });
    }
    metrics.answered(source === 'near' ? 'hit_near' : 'hit_redis');
    times.cached(beganAt);
    return this.result<T>(held, source);
  }

  /** Past a store that is away: what was loaded a moment ago, or a load of this process' own. */
  async #past<T>(key: string, slot: Slot, loader: Loader<T>, plan: Plan, beganAt: number): Promise<CacheResult<T>> {
    const { loads, outage, metrics, times } = this.parts;
    const { name } = slot.entry;
    metrics.answered('bypass');
    const kept = outage.get(name);
    if (kept !== undefined) {
      times.cached(beganAt);
      return this.result<T>(kept, 'near', false);
    }
    const flight =
      loads.running(name, key) ??
      loads.start({ key, slot, plan, loader, seen: NOTHING_SEEN, alone: true, background: false });
    const landing = await waitFor(flight, plan, undefined, this.parts.clock);
    times.uncached(beganAt);
    return this.#landed<T>(landing!);
  }

  #stale<T>(held: Held, beganAt: number): CacheResult<T> {
    this.parts.metrics.answered('stale');
    this.parts.times.cached(beganAt);
    return this.result<T>(held, 'stale');
  }

  #landed<T>({ value, held, source, stored }: Landing): CacheResult<T> {
    const from = source === 'redis' ? 'redis' : 'loader';
    if (held !== undefined) return this.result<T>(held, from, stored);
    return { value: value as T, source: from, loadedAtMs: this.parts.clock.now(), ageMs: 0, ttlMs: 0, stored };
  }

  /** A value and what is known of it. */
  result<T>(held: Held, source: CacheSource, stored = true): CacheResult<T> {
    const now = this.parts.clock.now();
    return {
      value: held.value() as T,
      source,
      loadedAtMs: held.loadedAt,
      ageMs: Math.max(now - held.loadedAt, 0),
      ttlMs: stored ? held.freshUntil - now : 0,
      stored,
    };
  }
}
