import { deserialize, serialize } from 'node:v8';
import { toMs } from '@roost/redis';
import type { CacheOptions, CacheResult, CacheSource, Loader } from '../cache.options.js';
import type { CacheService } from '../cache.service.js';
import type { Codec } from '../values/codec.js';

interface Entry {
  readonly bytes: Buffer;
  readonly value: unknown;
  readonly tags: readonly string[];
  readonly loadedAtMs: number;
  freshUntilMs: number;
  readonly goneAtMs: number;
}

type Used = 'get' | 'peek' | 'lookup' | 'getOrSet' | 'fetch' | 'expire' | 'delete' | 'invalidateTags' | 'clear';

/** For the specs of HTTP and GraphQL: what they use of a cache, in one process, as the contract of CacheService says. */
export class MapCache implements Pick<CacheService, Used> {
  readonly entries = new Map<string, Entry>();
  readonly flights = new Map<string, Promise<CacheResult<unknown>>>();
  maxValueBytes = Infinity;
  /** How long it takes to store a value. */
  storeMs = 0;

  get<T>(key: string): Promise<T | undefined> {
    return Promise.resolve(this.peek<T>(key)?.value);
  }

  peek<T>(key: string): CacheResult<T> | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined || Date.now() >= entry.freshUntilMs) return undefined;
    return resultOf<T>(entry, 'near');
  }

  lookup<T>(key: string): Promise<CacheResult<T> | undefined> {
    return Promise.resolve(this.peek<T>(key));
  }

  async getOrSet<T>(key: string, loader: Loader<T>, options?: CacheOptions): Promise<T> {
    return (await this.fetch(key, loader, options)).value;
  }

  async fetch<T>(key: string, loader: Loader<T>, options: CacheOptions = {}): Promise<CacheResult<T>> {
    await Promise.resolve();
    const fresh = this.peek<T>(key);
    if (fresh !== undefined) return fresh;
    const entry = this.entries.get(key);
    const stale = entry && Date.now() < entry.goneAtMs ? resultOf<T>(entry, 'stale') : undefined;
    let flight = this.flights.get(key) as Promise<CacheResult<T>> | undefined;
    if (flight === undefined) {
      flight = this.#load(key, loader, options).finally(() => this.flights.delete(key));
      this.flights.set(key, flight);
    }
    if (stale === undefined) return flight;
    const soft = options.softTimeout ? toMs(options.softTimeout) : 0;
    const waited = new Promise<CacheResult<T>>((resolve) => setTimeout(() => resolve(stale), soft).unref());
    return Promise.race([flight.catch(() => stale), waited]);
  }

  async #load<T>(key: string, loader: Loader<T>, options: CacheOptions): Promise<CacheResult<T>> {
    const controller = new AbortController();
    const tags = [...(options.tags ?? [])];
    let [ttl, skipped] = [toMs(options.ttl ?? '5m'), false];
    const startedAt = Date.now();
    const loading = Promise.resolve(
      loader({
        signal: controller.signal,
        setTtl: (other) => void (ttl = toMs(other)),
        addTags: (...more) => void tags.push(...more),
        skip: () => void (skipped = true),
      }),
    );
    const value = await this.#within(loading, controller, options);
    const codec = typeof options.codec === 'object' ? (options.codec as Codec<T>) : V8_CODEC;
    const bytes = skipped || value === undefined ? undefined : codec.encode(value);
    if (bytes === undefined || bytes.length > this.maxValueBytes) {
      return { value, source: 'loader', loadedAtMs: startedAt, ageMs: 0, ttlMs: 0, stored: false };
    }
    if (this.storeMs > 0) await new Promise((resolve) => setTimeout(resolve, this.storeMs));
    const freshUntilMs = startedAt + ttl;
    const goneAtMs = freshUntilMs + (options.grace ? toMs(options.grace) : 0);
    const entry = { bytes, value: codec.decode(bytes), tags, loadedAtMs: startedAt, freshUntilMs, goneAtMs };
    this.entries.set(key, entry);
    return { ...resultOf<T>(entry, 'loader'), value };
  }

  #within<T>(loading: Promise<T>, controller: AbortController, { hardTimeout }: CacheOptions): Promise<T> {
    if (hardTimeout === undefined) return loading;
    return new Promise((resolve, reject) => {
      const late = () => {
        const error = new Error(`The load took more than ${hardTimeout}.`);
        controller.abort(error);
        reject(error);
      };
      const timer = setTimeout(late, toMs(hardTimeout)).unref();
      loading.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  expire(key: string): Promise<boolean> {
    const entry = this.entries.get(key);
    if (entry !== undefined) entry.freshUntilMs = 0;
    return Promise.resolve(entry !== undefined);
  }

  delete(key: string): Promise<boolean> {
    return Promise.resolve(this.entries.delete(key));
  }

  invalidateTags(...tags: string[]): Promise<void> {
    for (const [key, entry] of this.entries) {
      if (entry.tags.some((tag) => tags.includes(tag))) this.entries.delete(key);
    }
    return Promise.resolve();
  }

  clear(): Promise<void> {
    this.entries.clear();
    return Promise.resolve();
  }
}

const V8_CODEC: Codec<never> = {
  id: 2,
  name: 'v8',
  encode: serialize,
  decode: (bytes) => deserialize(bytes) as never,
};

function resultOf<T>({ value, loadedAtMs, freshUntilMs }: Entry, source: CacheSource): CacheResult<T> {
  const now = Date.now();
  const ttlMs = source === 'stale' ? 0 : freshUntilMs - now;
  return { value: value as T, source, loadedAtMs, ageMs: now - loadedAtMs, ttlMs, stored: true };
}
