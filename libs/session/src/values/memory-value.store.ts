import type { Key } from '@roost/redis';
import type { Clock } from '../store-choice.js';
import { ExpiringMap } from './expiring-map.js';
import { ValueStore, type StoredValue } from './value.store.js';

/** Keeps values in this process. */
export class MemoryValueStore extends ValueStore {
  readonly name = 'memory';
  readonly #values: ExpiringMap<string>;

  constructor(clock?: Clock) {
    super();
    this.#values = new ExpiringMap(clock);
  }

  async set(key: Key, value: string, ttlMs: number): Promise<void> {
    this.#values.set(key.name, value, ttlMs);
  }

  async get(key: Key): Promise<StoredValue | undefined> {
    return this.#values.find(key.name);
  }

  async take(key: Key): Promise<string | undefined> {
    const found = this.#values.find(key.name);
    this.#values.delete(key.name);
    return found?.value;
  }

  async delete(key: Key): Promise<boolean> {
    return this.#values.delete(key.name);
  }
}
