import { KeyvAdapter, type CacheManagerStore } from 'cache-manager';
import { redisInsStore } from 'cache-manager-ioredis-yet';
import { show } from '@roost/redis';
import type { StoredData } from 'keyv';
import { cacheManagerKey, keyInName, startOfNamespace } from './cache-manager.keys.js';
import { looksLikeSeconds, secondsWarning } from './cache-manager.options.js';
import type { Entries } from './entries.js';
import { Unwritable } from './keyv-format.js';

export interface CacheManagerAdapterOptions {
  /** A text that is longer is not stored, in bytes. */
  readonly maxValueBytes: number;
  /** Told once of a lifetime that looks like seconds. */
  readonly warn: (message: string) => void;
}

/**
 * The store of cache-manager-ioredis-yet as Keyv 5 expects a store to be. Reads never reject: what fails is a miss, and an
 * `error` event. It closes nothing, as its connection belongs to all.
 */
export class CacheManagerAdapter extends KeyvAdapter {
  readonly #listeners: ((error: unknown) => void)[] = [];
  #warned = false;

  constructor(
    private readonly entries: Entries,
    private readonly options: CacheManagerAdapterOptions,
  ) {
    // ioredis-yet brings types of its own ioredis 5 and of a cache-manager 5; what it calls are `get` and `set`.
    super(redisInsStore(entries as never) as unknown as CacheManagerStore);
    this.opts = { dialect: 'redis', url: '' }; // by which Keyv knows whom it can iterate over
  }

  override get<T>(key: string): Promise<StoredData<T> | undefined> {
    return this.#read(undefined, () => super.get<T>(this.#name(key)));
  }

  /** Single reads, which leave in one write: they may live in several slots of a cluster, and one that fails fails alone. */
  override getMany<T>(keys: string[]): Promise<StoredData<T | undefined>[]> {
    return Promise.all(keys.map((key) => this.get<T>(key)));
  }

  override has(key: string): Promise<boolean> {
    return this.#read(false, () => this.entries.exists(this.#name(key)));
  }

  hasMany(keys: string[]): Promise<boolean[]> {
    return Promise.all(keys.map((key) => this.has(key)));
  }

  /**
   * Resolves to whether it was stored. Without a `ttl` it is kept for 366 days, as no key of Roost is kept for ever.
   * Rejects for what cannot be stored, which ends what was stored before.
   */
  override async set(key: string, text: unknown, ttl?: number): Promise<boolean> {
    const name = this.#name(key);
    const problem = this.#problemOf(text, ttl);
    if (problem !== undefined) {
      await this.entries.unlink(name);
      throw problem;
    }
    if (!this.entries.accepts(name)) return false;
    if (ttl !== undefined) this.#lookAt(ttl);
    return super.set(name, text, Math.min(Math.ceil(ttl ?? Infinity), cacheManagerKey.ttlMs));
  }

  /** Resolves to whether there was one. */
  override async delete(key: string): Promise<boolean> {
    return this.entries.unlink(this.#name(key));
  }

  /** Resolves to whether there was one of them. */
  override async deleteMany(keys: string[]): Promise<boolean> {
    const found = await Promise.all(keys.map((key) => this.delete(key)));
    return found.includes(true);
  }

  /** Removes what the namespace holds, and nothing else. */
  override async clear(): Promise<void> {
    if (!this.namespace)
      throw new Error('Refused to clear a Redis that others use, too: this Keyv has no `namespace`.');
    await this.entries.clear(startOfNamespace(this.namespace));
  }

  /** Keys and texts, without keys that are too long to stand in Redis. Rejects when it is lost. */
  async *iterator(namespace = this.namespace): AsyncGenerator<[string, string], void> {
    if (!namespace) return;
    for await (const names of this.entries.scan(startOfNamespace(namespace))) {
      for (const key of names.map(keyInName)) {
        const text = key === undefined ? undefined : await this.get<string>(key);
        if (typeof text === 'string') yield [key!, text];
      }
    }
  }

  /** Keyv listens for what reads could not do. */
  override on(event: string, listener: (error: unknown) => void): this {
    if (event === 'error') this.#listeners.push(listener);
    return this;
  }

  override async disconnect(): Promise<void> {
    // Called when modules are destroyed, while the server still answers requests.
  }

  #name(key: string): string {
    return cacheManagerKey.of({ namespace: this.namespace ?? '', key }).name;
  }

  async #read<T>(miss: T, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      for (const listener of this.#listeners) listener(error);
      return miss;
    }
  }

  #problemOf(text: unknown, ttl: unknown): Error | undefined {
    if (text instanceof Unwritable) return new TypeError('The value is no JSON.', { cause: text.cause });
    if (typeof text !== 'string') return new TypeError('Expected a text: Keyv has to serialize what it stores here.');
    const bytes = Buffer.byteLength(text);
    const { maxValueBytes } = this.options;
    if (bytes > maxValueBytes) return new RangeError(`The value takes ${bytes} bytes, more than ${maxValueBytes}.`);
    if (ttl === undefined || (typeof ttl === 'number' && Number.isFinite(ttl) && ttl > 0)) return undefined;
    return new RangeError(`Expected a ttl in milliseconds, got ${show(ttl)}.`);
  }

  #lookAt(ttl: number): void {
    if (this.#warned || !looksLikeSeconds(ttl)) return;
    this.#warned = true;
    this.options.warn(secondsWarning('The ttl of a value', ttl));
  }
}
