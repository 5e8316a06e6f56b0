import type { Slot } from '../cache.keys.js';
import type { CacheMetrics } from '../cache.metrics.js';
import type { ServerClock } from '../near/server-clock.js';
import type { TagVersions } from '../near/tag-versions.js';
import type { CacheStore } from '../stores/cache.store.js';
import type { Origin, Writer, Written } from '../values/writer.js';
import type { Context } from './context.js';
import { lifeOf, type Journey, type Landing, type Leased } from './journey.js';

/** What landings stand on. */
export interface LandingParts {
  readonly store: CacheStore;
  readonly tags: TagVersions;
  readonly clock: ServerClock;
  readonly writer: Writer;
  readonly metrics: CacheMetrics;
  /** Takes in that the store failed: an outage is known elsewhere, anything else is a bug. */
  readonly report: (error: unknown) => void;
}

/** What a loader gave, and said about it. */
export interface Cargo {
  readonly value: unknown;
  readonly context: Context;
  readonly loadMs: number;
  /** Whether nothing has changed since it began. */
  readonly isCurrent: () => boolean;
}

/** How loads end: with a value that is stored, if the lease still stands, or with an error. */
export class Landings {
  constructor(private readonly parts: LandingParts) {}

  /** What a load gives to those who wait for it. It is stored only under a lease. */
  async land(journey: Journey, lease: Leased | undefined, cargo: Cargo): Promise<Landing> {
    const { writer, clock } = this.parts;
    const { plan, slot } = journey;
    const { value, context, loadMs } = cargo;
    const payload = context.skipped ? undefined : writer.payload(value, plan.codec);
    if (payload === undefined) {
      await this.giveUp(slot, lease);
      return { value, held: undefined, source: 'loader', stored: false };
    }
    const named = context.tags;
    const stays = lease === undefined;
    const tags = stays ? [...plan.tags, ...named].map((name) => ({ name, version: 0 })) : lease.tags;
    const origin: Origin = { now: clock.now(), loadMs, ttlMs: context.ttlMs, tags };
    const write = (from: Origin) => writer.write(payload, plan, from, value === null);
    const written = write(origin);
    if (stays) return { held: written.held(), source: 'loader', stored: false };
    const stored = await this.#commit(
      journey,
      lease,
      { named, ttlMs: context.ttlMs, isCurrent: cargo.isCurrent },
      written,
      (later) => write({ ...origin, tags: [...lease.tags, ...later] }),
    );
    return { held: written.held(), source: 'loader', stored };
  }

  /** Others may load at once; or are told of the error for a moment. */
  async fail({ plan, seen, slot }: Journey, lease: Leased | undefined, error: unknown, loadMs: number): Promise<void> {
    if (lease === undefined || plan.errorTtlMs === 0 || seen.held !== undefined) return this.giveUp(slot, lease);
    const { writer, store, clock } = this.parts;
    const { token, seen: version, tags } = lease;
    const { bytes, lifeMs } = writer.writeFailure(error, plan, { tags, now: clock.now(), loadMs });
    await this.#quietly(store.commit(slot, { token, seen: version, bytes, lifeMs }));
  }

  async giveUp(slot: Slot, lease: Leased | undefined): Promise<void> {
    if (lease !== undefined) await this.#quietly(this.parts.store.abort(slot, lease.token));
  }

  /** Stores the value, with the tags that only its load has named; resolves to whether it could be. */
  async #commit(
    { plan, slot }: Journey,
    { token, seen, beganUs, tags: seenTags }: Leased,
    { named, ttlMs, isCurrent }: Pick<Cargo, 'isCurrent'> & { named: readonly string[]; ttlMs: number | undefined },
    written: Written,
    tagged: (later: Origin['tags']) => Written,
  ): Promise<boolean> {
    const { tags, store, metrics, report } = this.parts;
    try {
      const lifeMs = lifeOf(plan, ttlMs);
      if (lifeMs > lifeOf(plan)) await tags.snapshot(plan.tags, lifeMs); // else they would end before what has them
      const later = await tags.since(named, beganUs, lifeMs);
      let stored = false;
      // Stored with what its tags were, it would never be served. To look costs a command only when something has changed.
      if (later === undefined || !(isCurrent() || (await tags.matches(seenTags)))) await store.abort(slot, token);
      else {
        const what = later.length === 0 ? written : tagged(later);
        stored = await store.commit(slot, { token, seen, bytes: what.bytes, lifeMs: what.lifeMs });
      }
      if (!stored) metrics.fenced();
      return stored;
    } catch (error) {
      report(error); // without an answer it is not stored, or was stored under the lease
      return false;
    }
  }

  /** A lease that cannot be given back ends by itself. */
  async #quietly(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.parts.report(error);
    }
  }
}
