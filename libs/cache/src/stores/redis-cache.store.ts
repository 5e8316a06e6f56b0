import { Gathering, RedisReplyError, type Commands, type Key } from '@roost/redis';
import type { Slot } from '../cache.keys.js';
import { ENDS_AT, writeEnds } from '../values/envelope.js';
import { CacheStore, type Begun, type Commit, type Ends, type Lease, type TagState } from './cache.store.js';
import {
  abortLoad,
  beginLoad,
  bumpTag,
  commitLoad,
  ensureTag,
  expireEntry,
  putEntry,
  removeEntry,
  renewLease,
} from './scripts.lua.js';

/** A reply that is longer would keep Redis from answering others. */
const MOST_AT_ONCE = 200;

/** Keeps values in Redis: one command or one script for each verb. */
export class RedisCacheStore extends CacheStore {
  readonly name = 'redis';
  readonly #reads: Gathering<Key, Buffer | null>;

  constructor(
    private readonly commands: Commands,
    /** Where changes are to be published, in the name that scripts use; empty when the server tells of them. */
    private readonly announceTo: () => string,
  ) {
    super();
    this.#reads = new Gathering(
      (entry) => this.#get(entry),
      (entries) => this.#mget(entries),
    );
  }

  read(entry: Key): Promise<Buffer | null> {
    return this.#reads.ask(entry);
  }

  async readMany(entries: readonly Key[]): Promise<(Buffer | null)[]> {
    if (entries.length <= MOST_AT_ONCE) return entries.length === 0 ? [] : this.#mget(entries);
    const batches: Promise<(Buffer | null)[]>[] = [];
    for (let at = 0; at < entries.length; at += MOST_AT_ONCE) {
      batches.push(this.#mget(entries.slice(at, at + MOST_AT_ONCE)));
    }
    return (await Promise.all(batches)).flat();
  }

  begin(slot: Slot, seen: Buffer, { stamp, token, leaseMs }: Lease): Promise<Begun> {
    return this.commands.run(beginLoad, slot, { seen, stamp, token, leaseMs });
  }

  commit(slot: Slot, { token, seen, bytes, lifeMs }: Commit): Promise<boolean> {
    return this.commands.run(commitLoad, slot, { ...this.#heard(slot.entry), token, seen, bytes, lifeMs });
  }

  renew({ entry, lease }: Slot, token: string, leaseMs: number): Promise<boolean> {
    return this.commands.run(renewLease, { lease }, { ...this.#heard(entry), token, leaseMs });
  }

  async abort(slot: Slot, token: string): Promise<void> {
    await this.commands.run(abortLoad, slot, { ...this.#heard(slot.entry), token });
  }

  put(slot: Slot, bytes: Buffer, lifeMs: number): Promise<unknown> {
    return this.commands.run(putEntry, slot, { ...this.#heard(slot.entry), bytes, lifeMs });
  }

  remove(slot: Slot): Promise<boolean> {
    return this.commands.run(removeEntry, slot, this.#heard(slot.entry));
  }

  expire(slot: Slot, version: Buffer, ends: Ends): Promise<boolean> {
    const args = { ...this.#heard(slot.entry), version, offset: ENDS_AT, ends: writeEnds(ends) };
    return this.commands.run(expireEntry, slot, args);
  }

  async versions(tags: readonly Key[]): Promise<(number | undefined)[]> {
    const texts = await this.commands.read<(string | null)[]>('MGET', ...tags);
    return texts.map((text) => {
      const version = text === null ? NaN : Number(text);
      return Number.isFinite(version) ? version : undefined;
    });
  }

  ensure(tags: readonly Key[], lifeMs: number): Promise<readonly TagState[]> {
    return Promise.all(tags.map((tag) => this.commands.run(ensureTag, { tag }, { ...this.#heard(tag), lifeMs })));
  }

  bump(tags: readonly Key[], lifeMs: number): Promise<readonly number[]> {
    return Promise.all(tags.map((tag) => this.commands.run(bumpTag, { tag }, { ...this.#heard(tag), lifeMs })));
  }

  async now(): Promise<number> {
    const [seconds, micros] = await this.commands.read<[string, string]>('TIME');
    return Number(seconds) * 1_000 + Number(micros) / 1_000;
  }

  #heard({ name }: Key): { channel: string; name: string } {
    return { channel: this.announceTo(), name };
  }

  async #get(entry: Key): Promise<Buffer | null> {
    try {
      return await this.commands.readBytes<Buffer | null>('GET', entry);
    } catch (error) {
      // Somebody keeps something else at this key: no value, and the next load takes its place.
      if (error instanceof RedisReplyError && error.message.startsWith('WRONGTYPE')) return null;
      throw error;
    }
  }

  #mget(entries: readonly Key[]): Promise<(Buffer | null)[]> {
    return this.commands.readBytes('MGET', ...entries);
  }
}
