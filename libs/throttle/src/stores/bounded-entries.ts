import type { Key } from '@roost/redis';
import { Recency, type Entry } from './recency.js';

/** What matters until some moment. */
export interface Expiring {
  readonly expiresUs: number;
}

/** Values by name, of which the one unused for longest is forgotten when there is no more room. */
export class BoundedEntries<Value extends Expiring> {
  readonly #entries = new Recency<Value>();
  readonly #most: number;
  readonly #onEvict: (() => void) | undefined;
  #evicted = 0;

  constructor(most: number, onEvict: (() => void) | undefined) {
    this.#most = most;
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** How many were forgotten before their time. */
  get evicted(): number {
    return this.#evicted;
  }

  find(name: string): Entry<Value> | undefined {
    return this.#entries.find(name);
  }

  /** The entry of a key, at once when it was found by this key before. */
  of(key: Key): Entry<Value> | undefined {
    return this.#entries.of(key);
  }

  /** Notes that it was used just now. */
  use(entry: Entry<Value>): void {
    this.#entries.use(entry);
  }

  set(name: string, value: Value, nowUs: number): void {
    const entry = this.#entries.find(name);
    if (entry) {
      entry.value = value;
      this.#entries.use(entry);
    } else {
      if (this.#entries.size >= this.#most) this.#evict(nowUs);
      this.#entries.add(name, value);
    }
  }

  /** Whether there was anything that still mattered. */
  delete(entry: Entry<Value>, nowUs: number): boolean {
    this.#entries.delete(entry);
    return entry.value.expiresUs > nowUs;
  }

  /** Forgets what does not matter any more. */
  sweep(nowUs: number): void {
    for (const entry of this.#entries) if (entry.value.expiresUs <= nowUs) this.#entries.delete(entry);
  }

  clear(): void {
    this.#entries.clear();
  }

  #evict(nowUs: number): void {
    if (!this.delete(this.#entries.oldest!, nowUs)) return;
    this.#evicted++;
    this.#onEvict?.();
  }
}
