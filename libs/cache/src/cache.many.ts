import type { Key } from '@roost/redis';
import type { CacheEngine } from './cache.engine.js';
import type { CacheKeys } from './cache.keys.js';
import type { CacheMetrics } from './cache.metrics.js';
import type { ManyLoader } from './cache.service.js';
import type { Plan } from './cache.plan.js';
import type { OutageValues } from './invalidation/outage-values.js';
import type { Flight } from './loading/flight.js';
import type { Underway } from './loading/journey.js';
import type { Loads } from './loading/loads.js';
import { waitFor } from './loading/patience.js';
import type { ServerClock } from './near/server-clock.js';
import { NOTHING_SEEN, type Reader, type Seen } from './reader.js';
import { failureError } from './values/failure.js';
import { isFresh, type Held } from './values/held.js';

export interface ManyParts {
  readonly keys: CacheKeys;
  readonly engine: CacheEngine;
  readonly reader: Reader;
  readonly loads: Loads;
  readonly clock: ServerClock;
  readonly outage: OutageValues;
  readonly metrics: CacheMetrics;
  readonly report: (error: unknown) => void;
}

/** Many values at once: one command to look for them, and one call of a loader for those that are missing. */
export class CacheMany {
  constructor(private readonly parts: ManyParts) {}

  /** The fresh values by key. */
  async get(keys: readonly string[]): Promise<ReadonlyMap<string, Held>> {
    const found = new Map<string, Held>();
    const { near, seen } = await this.#look(keys);
    for (const [key, held] of near) found.set(key, held);
    for (const [key, { held }] of seen) if (isFresh(held, this.parts.clock.now())) found.set(key, held);
    this.#count(found.size - near.size, seen.size - (found.size - near.size));
    return found;
  }

  /** The values by key, loaded where there are none; a load that others began is waited for. */
  async getOrLoad<T>(
    keys: readonly string[],
    loader: ManyLoader<T>,
    plan: Plan,
    allowPartial: boolean,
  ): Promise<ReadonlyMap<string, unknown>> {
    const values = new Map<string, unknown>();
    const { near, seen } = await this.#look(keys);
    for (const [key, held] of near) values.set(key, held.value());
    const missing: [string, Seen][] = [];
    for (const [key, each] of seen) {
      const { held, version } = each;
      if (held?.failure !== undefined) {
        const leftMs = held.freshUntil - this.parts.clock.now();
        if (leftMs <= 0) missing.push([key, { held: undefined, version }]);
        else if (!allowPartial) throw failureError(held.failure, leftMs);
      } else if (isFresh(held, this.parts.clock.now())) values.set(key, held.value());
      else missing.push([key, each]);
    }
    this.#count(values.size - near.size, missing.length);
    if (missing.length === 0) return values;
    const together = new Together(
      missing.map(([key]) => key),
      loader,
      this.parts.loads.around,
    );
    const alone = (key: string) => !this.parts.engine.reachable(key);
    // Asked for all before one is begun: it throws where a load would wait for itself.
    const asked = missing.map(([key, each]) => {
      const slot = this.parts.keys.slot(key);
      return { key, each, slot, running: this.parts.loads.running(slot.entry.name, key) };
    });
    const flights = asked.map(({ key, each, slot, running }): readonly [string, Flight, Held | undefined] => {
      const load = together.loaderOf(key);
      const journey = { key, slot, plan, loader: load, seen: each, alone: alone(key), background: false };
      return [key, running ?? this.parts.loads.start(journey), each.held];
    });
    void Promise.all(flights.map(([, flight]) => flight.decided)).then(() => together.leave());
    await Promise.all(
      flights.map(async ([key, flight, stale]) => {
        try {
          const landing = await waitFor(flight, plan, stale, this.parts.clock);
          const held = landing === undefined ? stale! : landing.held;
          values.set(key, held === undefined ? landing?.value : held.value());
        } catch (error) {
          if (!allowPartial) throw error;
        }
      }),
    );
    return values;
  }

  /** What this process has, and what the store has of the rest; nothing of the rest while the store is away. */
  async #look(keys: readonly string[]) {
    const { engine, reader, outage } = this.parts;
    const near = new Map<string, Held>();
    const seen = new Map<string, Seen>();
    const asked: string[] = [];
    const entries: Key[] = [];
    await engine.settled();
    for (const key of keys) {
      if (seen.has(key) || near.has(key)) continue;
      const held = engine.near(key);
      if (held !== undefined) near.set(key, held);
      else {
        seen.set(key, NOTHING_SEEN);
        if (!engine.reachable(key)) {
          const kept = outage.get(this.parts.keys.slot(key).entry.name);
          if (kept === undefined) continue;
          near.set(key, kept);
          seen.delete(key);
          continue;
        }
        asked.push(key);
        entries.push(this.parts.keys.slot(key).entry);
      }
    }
    try {
      const found = await reader.readMany(asked, entries);
      for (let index = 0; index < asked.length; index++) seen.set(asked[index]!, found[index]!);
    } catch (error) {
      this.parts.report(error);
    }
    return { near, seen };
  }

  #count(hits: number, misses: number): void {
    this.parts.metrics.answered('hit_redis', hits);
    this.parts.metrics.answered('miss', misses);
  }
}

/** Calls a loader of many once, with all keys that loads of this process were given leave for. */
class Together<T> {
  readonly #led = new Set<string>();
  /** The loads that its one call is part of. */
  readonly #within = new Set<Underway>();
  #left = false;
  #values: Promise<ReadonlyMap<string, T>> | undefined;
  #go!: () => void;
  readonly #gone = new Promise<void>((resolve) => (this.#go = resolve));

  constructor(
    /** In the order in which they are to be loaded. */
    private readonly keys: readonly string[],
    private readonly loader: ManyLoader<T>,
    private readonly around: Loads['around'],
  ) {}

  loaderOf(key: string) {
    return async ({ signal }: { readonly signal: AbortSignal }): Promise<T | undefined> => {
      // Who loaded it instead has failed: it is loaded alone.
      if (this.#left) return (await this.#load([key], signal)).get(key);
      this.#led.add(key);
      for (const flight of this.around.getStore() ?? []) this.#within.add(flight);
      await this.#gone;
      const led = () => this.keys.filter((each) => this.#led.has(each));
      this.#values ??= this.around.run([...this.#within], () => this.#load(led(), signal));
      return (await this.#values).get(key);
    };
  }

  /** It is known which keys are to be loaded. */
  leave(): void {
    this.#left = true;
    this.#go();
  }

  async #load(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, T>> {
    const loaded = await this.loader(keys, { signal });
    if (!Array.isArray(loaded)) return loaded as ReadonlyMap<string, T>;
    return new Map(keys.map((key, index) => [key, (loaded as readonly T[])[index] as T]));
  }
}
