import type { CacheEngine } from './cache.engine.js';
import { InvalidCacheOptionsError } from './cache.errors.js';
import type { CacheMany } from './cache.many.js';
import type { CacheOptions, CacheResult, Loader, WarmEntry, WarmOptions, WarmReport } from './cache.options.js';
import type { Plans } from './cache.plan.js';
import { CacheService, type ManyLoader } from './cache.service.js';
import type { CacheStats } from './cache.stats.js';
import type { CacheWrites } from './cache.writes.js';
import { warm } from './warm-up.js';

/** What a {@link RoostCache} stands on. */
export interface RoostCacheParts {
  readonly engine: CacheEngine;
  readonly many: CacheMany;
  readonly writes: CacheWrites;
  readonly plans: Plans;
  readonly stats: () => CacheStats;
}

/** The cache: its verbs, each a line or two on the parts that do the work. */
export class RoostCache extends CacheService {
  constructor(private readonly parts: RoostCacheParts) {
    super();
  }

  get<T>(key: string): Promise<T | undefined> {
    const near = this.parts.engine.near(key);
    if (near !== undefined) return Promise.resolve(near.value() as T);
    return this.#find<T>(key);
  }

  peek<T>(key: string): CacheResult<T> | undefined {
    return this.parts.engine.peek<T>(key);
  }

  async lookup<T>(key: string): Promise<CacheResult<T> | undefined> {
    const near = this.peek<T>(key);
    if (near !== undefined) return near;
    const found = await this.parts.engine.find(key);
    return found && this.parts.engine.result<T>(found.held, found.source);
  }

  getOrSet<T>(key: string, loader: Loader<T>, options?: CacheOptions): Promise<T> {
    const near = this.#eager(options) ? undefined : this.parts.engine.near(key);
    if (near !== undefined) return Promise.resolve(near.value() as T);
    return this.parts.engine.fetch<T>(key, loader, options).then(({ value }) => value);
  }

  fetch<T>(key: string, loader: Loader<T>, options?: CacheOptions): Promise<CacheResult<T>> {
    const near = this.#eager(options) ? undefined : this.peek<T>(key);
    return near === undefined ? this.parts.engine.fetch<T>(key, loader, options) : Promise.resolve(near);
  }

  set(key: string, value: unknown, options?: CacheOptions): Promise<boolean> {
    return this.parts.writes.set(key, value, options);
  }

  async delete(key: string): Promise<boolean> {
    return (await this.deleteMany([key])) > 0;
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    return (await this.parts.writes.remove([...new Set(keys)])).filter(Boolean).length;
  }

  async exists(key: string): Promise<boolean> {
    return (await this.lookup(key)) !== undefined;
  }

  async ttl(key: string): Promise<number | undefined> {
    return (await this.lookup(key))?.ttlMs;
  }

  expire(key: string): Promise<boolean> {
    return this.parts.writes.expire(key);
  }

  async getMany<T>(keys: readonly string[]): Promise<(T | undefined)[]> {
    const found = await this.parts.many.get(keys);
    return keys.map((key) => found.get(key)?.value() as T | undefined);
  }

  async setMany(entries: Iterable<readonly [string, unknown]>, options?: CacheOptions): Promise<number> {
    const stored = await Promise.all(Array.from(entries, ([key, value]) => this.set(key, value, options)));
    return stored.filter(Boolean).length;
  }

  async getOrSetMany<T>(
    keys: readonly string[],
    loader: ManyLoader<T>,
    { allowPartial = false, ...options }: CacheOptions & { readonly allowPartial?: boolean } = {},
  ): Promise<(T | undefined)[]> {
    const values = await this.parts.many.getOrLoad(keys, loader, this.parts.plans.of(options), allowPartial);
    return keys.map((key) => values.get(key) as T | undefined);
  }

  invalidateTags(...tags: string[]): Promise<void> {
    return this.parts.writes.invalidateTags(tags);
  }

  clear(): Promise<void> {
    return this.parts.writes.clear();
  }

  async warm(entries: Iterable<WarmEntry>, options: WarmOptions = {}): Promise<WarmReport> {
    const { concurrency = 4 } = options;
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new InvalidCacheOptionsError([`expected \`concurrency\` to be a positive integer, got ${concurrency}`]);
    }
    return warm(this, [...entries], { ...options, concurrency });
  }

  stats(): CacheStats {
    return this.parts.stats();
  }

  async #find<T>(key: string): Promise<T | undefined> {
    return (await this.parts.engine.find(key))?.held.value() as T | undefined;
  }

  /** Whether a fresh value may have to be loaded anew, which the plan decides. */
  #eager(options: CacheOptions | undefined): boolean {
    return this.parts.plans.eager || options?.eager !== undefined;
  }
}
