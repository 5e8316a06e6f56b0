import type { Key } from '@roost/redis';
import type { Slot } from '../cache.keys.js';

/** Leave to load a value, while it is renewed and nobody invalidates the value. */
export interface Lease {
  /** What no other load has. */
  readonly token: string;
  /** The greatest version among the tags that the load saw: a load that saw more takes the lease over. */
  readonly stamp: number;
  readonly leaseMs: number;
}

/** What became of asking for leave to load. */
export interface Begun {
  /** What is there, when it is not what was seen; then no lease was given. */
  readonly bytes: Buffer | null;
  readonly leased: boolean;
  /** How long the lease of another load lasts, in ms. */
  readonly leaseLeftMs: number;
  /** The store's clock, in µs since 1970. */
  readonly nowUs: number;
}

/** How a load ends: what it stores, where what it saw is still there. */
export interface Commit {
  readonly token: string;
  /** The version that was there when it began; empty for none. */
  readonly seen: Buffer;
  readonly bytes: Buffer;
  readonly lifeMs: number;
}

/** Until when a value is fresh, and until when it is kept: ms of the store's clock. */
export interface Ends {
  readonly freshUntil: number;
  readonly keptUntil: number;
}

/** The version of a tag that is there now, and for how long. */
export interface TagState {
  /** When it was last invalidated or made, in µs of the store's clock: greater than any before. */
  readonly version: number;
  readonly leftMs: number;
}

/**
 * Where values are kept for all processes, and who may load them. A load stores its result only under its lease, which
 * every invalidation and every other write ends. Redis and memory agree: see `testing.ts`.
 *
 * Each method rejects with `RedisUnavailableError` when the store is away.
 */
export abstract class CacheStore {
  abstract readonly name: 'redis' | 'memory';
  /** What is there, in the order of the keys; null for what is not. */
  abstract readMany(entries: readonly Key[]): Promise<(Buffer | null)[]>;
  abstract read(entry: Key): Promise<Buffer | null>;
  /** Gives leave to load, when there is no more than what was `seen` and nobody else loads. */
  abstract begin(slot: Slot, seen: Buffer, lease: Lease): Promise<Begun>;
  /** Resolves to whether it was stored; ends the lease in any case. */
  abstract commit(slot: Slot, commit: Commit): Promise<boolean>;
  /** Resolves to whether the lease still was there. */
  abstract renew(slot: Slot, token: string, leaseMs: number): Promise<boolean>;
  /** Gives up the lease, and tells those who wait for its value. */
  abstract abort(slot: Slot, token: string): Promise<void>;
  /** Stores a value, and ends its load. */
  abstract put(slot: Slot, bytes: Buffer, lifeMs: number): Promise<unknown>;
  /** Removes the value and ends its load. Resolves to whether there was a value. */
  abstract remove(slot: Slot): Promise<boolean>;
  /**
   * Ends the freshness of the value, if it is this version, and how long it is kept; ends its load in any case. Resolves to
   * whether that version was there; an empty one never is.
   */
  abstract expire(slot: Slot, version: Buffer, ends: Ends): Promise<boolean>;
  /** The versions of tags, in their order; undefined for one that is not there. */
  abstract versions(tags: readonly Key[]): Promise<(number | undefined)[]>;
  /** The tags, made or kept for `lifeMs` more where they would end before. */
  abstract ensure(tags: readonly Key[], lifeMs: number): Promise<readonly TagState[]>;
  /** Invalidates tags. Resolves to their new versions. */
  abstract bump(tags: readonly Key[], lifeMs: number): Promise<readonly number[]>;
  /** The store's clock, in ms since 1970. */
  abstract now(): Promise<number>;
}
