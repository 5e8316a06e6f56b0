import type { Key } from '@roost/redis';
import { LimitKey } from './rate-limit.keys.js';

/** A value under a name, between the one that was used before it and the one that was used after it. */
export interface Entry<Value> {
  readonly name: string;
  value: Value;
  older: Entry<Value>;
  newer: Entry<Value>;
  /** Whether it is still there: it may have been deleted since it was found. */
  listed: boolean;
  /** Where it is, or was. */
  readonly among: object;
}

/**
 * Values by name, in the order in which they were last used. A list through the entries keeps the order: a Map that is
 * told the order by deleting and setting anew leaves a hole at each use, and whoever is used most then searches all of
 * its own holes, tens of thousands in a Map of that size.
 */
export class Recency<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  /** Closes the list to a ring: newer than the newest, and older than the oldest. */
  readonly #end: Entry<Value>;

  constructor() {
    const end = { name: '' } as Entry<Value>;
    this.#end = end.older = end.newer = end;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whoever was not used for longest. */
  get oldest(): Entry<Value> | undefined {
    return this.size === 0 ? undefined : this.#end.newer;
  }

  find(name: string): Entry<Value> | undefined {
    return this.#entries.get(name);
  }

  /** What is there under a key, at once when it was found by this key before. */
  of(key: Key): Entry<Value> | undefined {
    if (!(key instanceof LimitKey)) return this.find(key.name);
    const found = key.found as Entry<Value> | undefined;
    if (found !== undefined && this.has(found)) return found;
    return (key.found = this.find(key.name));
  }

  /** Adds a name that is not there, as just used. */
  add(name: string, value: Value): Entry<Value> {
    const end = this.#end;
    const entry = { name, value, older: end.older, newer: end, listed: true, among: this };
    end.older = end.older.newer = entry;
    this.#entries.set(name, entry);
    return entry;
  }

  /** Notes that it was used just now. */
  use(entry: Entry<Value>): void {
    const end = this.#end;
    if (entry.newer === end) return;
    unlink(entry);
    entry.older = end.older;
    entry.newer = end;
    end.older = end.older.newer = entry;
  }

  /** Whether an entry that was found earlier is still there. */
  has(entry: Entry<Value>): boolean {
    return entry.listed && entry.among === this;
  }

  delete(entry: Entry<Value>): void {
    unlink(entry);
    // Whoever still holds it must not hold its former neighbours.
    entry.older = entry.newer = entry;
    entry.listed = false;
    this.#entries.delete(entry.name);
  }

  clear(): void {
    for (const entry of this.#entries.values()) {
      entry.older = entry.newer = entry;
      entry.listed = false;
    }
    this.#entries.clear();
    this.#end.older = this.#end.newer = this.#end;
  }

  [Symbol.iterator](): IterableIterator<Entry<Value>> {
    return this.#entries.values();
  }
}

function unlink({ older, newer }: Entry<unknown>): void {
  older.newer = newer;
  newer.older = older;
}
