import type { Held } from '../values/held.js';

/** A value in this process. */
export interface NearValue {
  readonly key: string;
  /** The name of its key in the store. */
  readonly name: string;
  readonly held: Held;
  /** At which state of all tags its own were last compared. */
  tagsSeen: number;
  readonly bytes: number;
  visited: boolean;
  older: NearValue | undefined;
  newer: NearValue | undefined;
}

/** What a value costs beside its payload: nodes, maps, head. */
const OVERHEAD_BYTES = 400;

/**
 * Values of this process within a budget of bytes. What was not asked for again since the hand last passed goes first
 * (SIEVE, Zhang et al., NSDI 2024): a hit costs one look-up and no reordering.
 */
export class NearCache {
  readonly #byKey = new Map<string, NearValue>();
  readonly #byName = new Map<string, NearValue>();
  #newest: NearValue | undefined;
  #oldest: NearValue | undefined;
  #hand: NearValue | undefined;
  #bytes = 0;

  constructor(private readonly maxBytes: number) {}

  get size(): number {
    return this.#byKey.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): NearValue | undefined {
    const found = this.#byKey.get(key);
    if (found !== undefined) found.visited = true;
    return found;
  }

  put(key: string, name: string, held: Held, tagsSeen: number): void {
    this.drop(name);
    const bytes = OVERHEAD_BYTES + 2 * (key.length + name.length) + 2 * held.bytes;
    if (bytes > this.maxBytes) return;
    while (this.#bytes + bytes > this.maxBytes) this.#evict();
    const value: NearValue = {
      key,
      name,
      held,
      tagsSeen,
      bytes,
      visited: false,
      older: this.#newest,
      newer: undefined,
    };
    if (this.#newest === undefined) this.#oldest = value;
    else this.#newest.newer = value;
    this.#newest = value;
    this.#byKey.set(key, value);
    this.#byName.set(name, value);
    this.#bytes += bytes;
  }

  /** Forgets the value with this name in the store. */
  drop(name: string): void {
    const value = this.#byName.get(name);
    if (value !== undefined) this.#remove(value);
  }

  clear(): void {
    this.#byKey.clear();
    this.#byName.clear();
    this.#newest = this.#oldest = this.#hand = undefined;
    this.#bytes = 0;
  }

  #evict(): void {
    let value = this.#hand ?? this.#oldest!;
    while (value.visited) {
      value.visited = false;
      value = value.newer ?? this.#oldest!;
    }
    this.#hand = value;
    this.#remove(value);
  }

  #remove(value: NearValue): void {
    const { older, newer } = value;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    if (this.#hand === value) this.#hand = newer;
    this.#byKey.delete(value.key);
    this.#byName.delete(value.name);
    this.#bytes -= value.bytes;
  }
}
