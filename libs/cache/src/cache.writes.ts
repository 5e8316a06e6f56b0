import type { Key } from '@roost/redis';
import type { CacheKeys, Slot } from './cache.keys.js';
import type { CacheMetrics } from './cache.metrics.js';
import type { CacheOptions } from './cache.options.js';
import { checkTags, type Plans } from './cache.plan.js';
import type { OutageValues } from './invalidation/outage-values.js';
import type { PendingInvalidations } from './invalidation/pending-invalidations.js';
import { lifeOf } from './loading/journey.js';
import type { Changes } from './near/changes.js';
import type { ServerClock } from './near/server-clock.js';
import type { TagVersions } from './near/tag-versions.js';
import type { Reader } from './reader.js';
import type { CacheStore } from './stores/cache.store.js';
import type { Writer } from './values/writer.js';

/** For how long an invalidated tag is remembered at least; what has it and lives longer keeps it longer. */
const TAG_LIFE_MS = 7 * 86_400_000;

/** What writes and invalidations stand on. */
export interface WritesParts {
  readonly keys: CacheKeys;
  readonly store: CacheStore;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly plans: Plans;
  readonly changes: Changes;
  readonly tags: TagVersions;
  readonly clock: ServerClock;
  readonly pending: PendingInvalidations;
  readonly outage: OutageValues;
  readonly metrics: CacheMetrics;
  /** Whether Redis may be written to; always without one. */
  readonly writable: () => boolean;
  /** Takes in that the store failed. */
  readonly report: (error: unknown) => void;
}

/**
 * Writes and invalidations. What Redis was not told of, or perhaps not, is told when it is back; until then nothing that it
 * has is served here.
 */
export class CacheWrites {
  constructor(private readonly parts: WritesParts) {}

  /** Resolves to whether it was stored; the value that was there is gone in any case. */
  async set(key: string, value: unknown, options: CacheOptions | undefined): Promise<boolean> {
    const { keys, plans, writer, clock, tags, store, changes } = this.parts;
    const plan = plans.of(options);
    const slot = keys.slot(key);
    const payload = writer.payload(value, plan.codec);
    if (payload === undefined) {
      await this.remove([key]);
      return false;
    }
    let stored = false;
    if (this.parts.writable()) {
      try {
        const snapshot = tags.snapshot(plan.tags, lifeOf(plan));
        const versions = snapshot instanceof Promise ? await snapshot : snapshot;
        if (!clock.isKnown) await clock.known();
        const origin = { tags: versions, now: clock.now(), loadMs: 0 };
        const { bytes, lifeMs } = writer.write(payload, plan, origin, value === null);
        await store.put(slot, bytes, lifeMs);
        stored = true;
      } catch (error) {
        this.parts.report(error);
      }
    }
    if (!stored) this.parts.pending.addKeys([key]);
    changes.changed([slot.entry.name]);
    return stored;
  }

  /** Resolves to which of them there were. */
  async remove(keys: readonly string[]): Promise<boolean[]> {
    const { store, metrics, pending } = this.parts;
    const slots = keys.map((key) => this.parts.keys.slot(key));
    let removed: boolean[] = [];
    const told = await this.#tell(async () => {
      removed = await Promise.all(slots.map((slot) => store.remove(slot)));
    });
    if (!told) pending.addKeys(keys);
    this.#changed(slots.map(({ entry }) => entry));
    metrics.invalidated('key', keys.length);
    return told ? removed : keys.map(() => false);
  }

  async invalidateTags(names: readonly string[]): Promise<void> {
    const checked = checkTags(names);
    if (checked.length === 0) return;
    if (!(await this.#tell(() => this.parts.tags.bump(checked, TAG_LIFE_MS)))) {
      this.parts.pending.addTags(checked);
      this.parts.changes.changed(checked.map((tag) => this.parts.keys.tag(tag).name));
    }
    this.parts.outage.dropTagged(checked);
    this.parts.metrics.invalidated('tag', checked.length);
  }

  async clear(): Promise<void> {
    if (!(await this.#tell(() => this.parts.tags.bump([''], TAG_LIFE_MS)))) {
      this.parts.pending.addAll();
      this.parts.changes.changed([this.parts.keys.generation.name]);
    }
    this.parts.outage.forget();
    this.parts.metrics.invalidated('all');
  }

  /** Ends the freshness of a value, which stays for its grace, and the loads that began before. */
  async expire(key: string): Promise<boolean> {
    const slot = this.parts.keys.slot(key);
    let expired = false;
    const told = await this.#tell(async () => {
      // Once more where a load has stored another value between look and script: it began before, and was the last such.
      expired = (await this.#expire(key, slot)) || (await this.#expire(key, slot));
    });
    if (!told) this.parts.pending.addKeys([key]);
    this.#changed([slot.entry]);
    return expired;
  }

  async #expire(key: string, slot: Slot): Promise<boolean> {
    const { reader, store, clock } = this.parts;
    const { held } = await reader.look(key, slot.entry);
    const { version = '', freshUntil = 0, keptUntil = 0 } = held ?? {};
    const endsAt = Math.min(freshUntil, clock.now());
    const ends = { freshUntil: endsAt, keptUntil: endsAt + (keptUntil - freshUntil) };
    return store.expire(slot, Buffer.from(version, 'latin1'), ends);
  }

  /** What is pending, told again. Throws what Redis says. */
  readonly repeat = {
    removeKeys: async (keys: readonly string[]) => {
      const slots = keys.map((key) => this.parts.keys.slot(key));
      await Promise.all(slots.map((slot) => this.parts.store.remove(slot)));
      this.#changed(slots.map(({ entry }) => entry));
    },
    bumpTags: (names: readonly string[]) => this.parts.tags.bump(names, TAG_LIFE_MS),
    clear: () => this.parts.tags.bump([''], TAG_LIFE_MS),
  };

  #changed(entries: readonly Key[]): void {
    this.parts.changes.changed(entries.map(({ name }) => name));
  }

  /** Whether the store was told; what it says no other way is reported, and never the caller's failure. */
  async #tell(work: () => Promise<unknown>): Promise<boolean> {
    if (!this.parts.writable()) return false;
    try {
      await work();
      return true;
    } catch (error) {
      this.parts.report(error);
      return false;
    }
  }
}
