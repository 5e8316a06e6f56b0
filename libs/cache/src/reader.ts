import type { Key } from '@roost/redis';
import type { CacheKeys } from './cache.keys.js';
import type { Changes, ChangeListener, Watch } from './near/changes.js';
import type { NearCache, NearValue } from './near/near-cache.js';
import type { ServerClock } from './near/server-clock.js';
import type { TagVersions } from './near/tag-versions.js';
import type { CacheStore } from './stores/cache.store.js';
import { VERSION_BYTES } from './values/envelope.js';
import { foreignHeld, readHeld, type Held, type Reading } from './values/held.js';

/** What was found of a value. */
export interface Seen {
  /** Valid, and fresh or within its grace; undefined for none. */
  readonly held: Held | undefined;
  /** The version of what is there, valid or not; empty for nothing. */
  readonly version: string;
}

export const NOTHING_SEEN: Seen = { held: undefined, version: '' };

export interface ReaderParts {
  readonly keys: CacheKeys;
  readonly store: CacheStore;
  readonly near: NearCache;
  readonly changes: Changes;
  readonly tags: TagVersions;
  readonly clock: ServerClock;
  readonly reading: Reading;
  readonly foreignJson: boolean;
  /** Something that is no value of this cache was found. */
  readonly onDamaged: () => void;
}

/** Finds values: in this process, else in the store. */
export class Reader implements ChangeListener {
  /** Reads under way; one that began before a change is not joined after it. */
  readonly #reads = new Map<string, Promise<Seen>>();

  constructor(private readonly parts: ReaderParts) {}

  /** The value of this process, where it may be served without asking anybody; it may be stale. */
  near(key: string): NearValue | undefined {
    const { near, changes, tags, clock, reading } = this.parts;
    if (!reading.shares || !changes.coherent) return undefined;
    const found = near.get(key);
    if (found === undefined) return undefined;
    if (found.tagsSeen !== tags.state) {
      const match = tags.match(found.held.tags);
      if (match === undefined) return undefined; // to be asked, which costs as much as the value itself
      if (!match) {
        near.drop(found.name);
        return undefined;
      }
      found.tagsSeen = tags.state;
    }
    if (found.held.keptUntil > clock.now()) return found;
    near.drop(found.name);
    return undefined;
  }

  /** What the store has. */
  async look(key: string, entry: Key): Promise<Seen> {
    if (!this.parts.clock.isKnown) await this.parts.clock.known(); // else this machine's would decide what is fresh
    const watch = this.parts.changes.watch();
    try {
      const taken = this.take(await this.parts.store.read(entry), entry, watch, key);
      return taken instanceof Promise ? await taken : taken;
    } finally {
      watch.end();
    }
  }

  /** As {@link look}, asked once for all who want it at the same time. */
  read(key: string, entry: Key): Promise<Seen> {
    let read = this.#reads.get(entry.name);
    if (read === undefined) {
      read = this.look(key, entry);
      this.#reads.set(entry.name, read);
      const over = () => {
        if (this.#reads.get(entry.name) === read) this.#reads.delete(entry.name);
      };
      read.then(over, over);
    }
    return read;
  }

  /** As {@link read} for many, in one command or a few. */
  async readMany(keys: readonly string[], entries: readonly Key[]): Promise<Seen[]> {
    if (!this.parts.clock.isKnown) await this.parts.clock.known();
    const watch = this.parts.changes.watch();
    try {
      const found = await this.parts.store.readMany(entries);
      const taken = found.map((bytes, index) => this.take(bytes, entries[index]!, watch, keys[index]!));
      if (!taken.some((each) => each instanceof Promise)) return taken as Seen[];
      return await Promise.all(taken.map((each) => Promise.resolve(each))); // at once: one that fails must find its listener
    } finally {
      watch.end();
    }
  }

  /** What these bytes are; kept in this process when they were watched, and nothing has happened since they were asked for. */
  take(bytes: Buffer | null, entry: Key, watch?: Watch, key?: string): Seen | Promise<Seen> {
    if (bytes === null || bytes.length === 0) return NOTHING_SEEN;
    const { reading, tags, clock, foreignJson, onDamaged } = this.parts;
    const held = readHeld(bytes, reading);
    if (held === undefined) {
      const foreign = foreignJson ? foreignHeld(bytes, clock.now(), reading) : undefined;
      if (foreign === undefined) onDamaged();
      return { held: foreign, version: bytes.toString('latin1', 0, VERSION_BYTES) };
    }
    const { version } = held;
    if (held.keptUntil <= clock.now()) return { held: undefined, version };
    const match = tags.match(held.tags);
    if (match === undefined) return this.#asked(held, version, entry, watch, key);
    if (!match) return { held: undefined, version };
    this.#keep(held, entry, watch, key);
    return { held, version };
  }

  changed(name: string): void {
    // A read may have compared its tags already, and wait for the answer: which ones it has is not known here.
    if (name.startsWith(this.parts.keys.prefixes.tags)) return this.#reads.clear();
    this.#reads.delete(name);
    this.parts.near.drop(name);
  }

  forget(): void {
    this.#reads.clear();
    this.parts.near.clear();
  }

  async #asked(held: Held, version: string, entry: Key, watch?: Watch, key?: string): Promise<Seen> {
    if (!(await this.parts.tags.matches(held.tags))) return { held: undefined, version };
    this.#keep(held, entry, watch, key);
    return { held, version };
  }

  #keep(held: Held, entry: Key, watch: Watch | undefined, key: string | undefined): void {
    if (watch === undefined || key === undefined || held.failure !== undefined || !watch.trusts(entry.name)) return;
    if (!this.parts.reading.shares) return;
    // What its tags were compared with may have changed since: compared again at the first hit, which costs nothing.
    held.keep();
    this.parts.near.put(key, entry.name, held, -1);
  }
}
