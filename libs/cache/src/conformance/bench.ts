import { expect } from '@jest/globals';
import { CacheKeys, type Slot } from '../cache.keys.js';
import type { Begun, CacheStore } from '../stores/cache.store.js';
import { readEnvelope, VERSION_BYTES, Versions, writeEnvelope } from '../values/envelope.js';

/** The namespace of what a suite stores: changes of its keys have to be told. */
export const SPACE = 'conformance';

/** A store under test. */
export interface OpenedCacheStore {
  readonly store: CacheStore;
  /** The names that the store told to have changed, in their order. */
  readonly changed: readonly string[];
  /** Lets time go by for all that is stored. */
  pass(ms: number): void | Promise<void>;
  /** The names of the keys that have no end. */
  endless(): readonly string[] | Promise<readonly string[]>;
  close(): void | Promise<void>;
}

/** Asks a store about keys that no other test has. */
export class Bench {
  readonly keys = new CacheKeys(SPACE);
  readonly slot: Slot;
  readonly #versions = new Versions();
  readonly #random = Math.random().toString(36).slice(2);
  #from: number;

  constructor(readonly opened: OpenedCacheStore) {
    this.slot = this.slotOf('a');
    this.#from = opened.changed.length;
  }

  get store(): CacheStore {
    return this.opened.store;
  }

  slotOf(key: string): Slot {
    return this.keys.slot(`${key}-${this.#random}`);
  }

  tag(name: string) {
    return this.keys.tag(`${name}-${this.#random}`);
  }

  /** A value as the cache stores it, another version each time. */
  value(text: string, freshUntil = 2e12): Buffer {
    const head = { codec: 1, compressed: false, failure: false, loadedAt: 1e12, loadMs: 0, tags: [] };
    return writeEnvelope({ ...head, freshUntil, keptUntil: freshUntil }, Buffer.from(text), this.#versions);
  }

  /** The text that is there. */
  async text(slot = this.slot): Promise<string | undefined> {
    return textOf(await this.store.read(slot.entry));
  }

  begin(token: string, { seen = NOTHING, stamp = 100, leaseMs = 5_000, slot = this.slot } = {}): Promise<Begun> {
    return this.store.begin(slot, seen, { token, stamp, leaseMs });
  }

  /** Whether it was stored. */
  commit(token: string, text: string, { seen = NOTHING, lifeMs = 10_000, slot = this.slot } = {}): Promise<boolean> {
    return this.store.commit(slot, { token, seen, bytes: this.value(text), lifeMs });
  }

  /** Forgets what was told so far. */
  listen(): void {
    this.#from = this.opened.changed.length;
  }

  /** Resolves once a change of this name was told, and fails when it is not within a second. */
  async told(name: string): Promise<void> {
    const heard = () => this.opened.changed.slice(this.#from).includes(name);
    for (const until = Date.now() + 1_000; Date.now() < until && !heard();) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(this.opened.changed.slice(this.#from)).toContain(name);
    this.listen();
  }
}

/** What no value's version is. */
const NOTHING: Buffer = Buffer.alloc(0);

export function versionOf(bytes: Buffer): Buffer {
  return bytes.subarray(0, VERSION_BYTES);
}

/** What a value says; an empty one is the mark of an invalidation. */
export function textOf(bytes: Buffer | null): string | undefined {
  return bytes === null ? undefined : readEnvelope(bytes)?.payload.toString();
}

/** One promise of a store, which is broken when it rejects. */
export interface CacheVector {
  readonly name: string;
  check(bench: Bench): Promise<void>;
}

/** Promises by their names. */
export function vectorsOf(checks: Readonly<Record<string, (bench: Bench) => Promise<void>>>): CacheVector[] {
  return Object.entries(checks).map(([name, check]) => ({ name, check }));
}
