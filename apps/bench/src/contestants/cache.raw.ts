import { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import { cacheContestant } from './cache.js';
import type { Item } from './cache-items.js';

/** What one writes without a library: `GET`, `JSON.parse`, and `SET` with a lifetime, on ioredis with default settings. */
export const rawGet = cacheContestant(async ({ redisUrl, ttlMs }) => {
  const client = new Redis(redisUrl, { lazyConnect: true });
  await client.connect();
  const parse = (text: string | null) => (text === null ? undefined : (JSON.parse(text) as Item));
  const get = (key: string) => client.get(key).then(parse);
  const set = (key: string, value: Item) => client.set(key, JSON.stringify(value), 'PX', ttlMs);
  return {
    get,
    set,
    async getOrSet(key, load) {
      const found = await get(key);
      if (found !== undefined) return found;
      const loaded = await load();
      await set(key, loaded);
      return loaded;
    },
    getMany: (keys) => client.mget(keys).then((texts) => texts.map(parse)),
    close: () => client.disconnect(),
  };
});

/** A map in this process that forgets: less than any cache of two tiers can do. */
export const lruCache = cacheContestant(async ({ ttlMs }) => {
  const lru = new LRUCache<string, Item>({ max: 10_000, ttl: ttlMs });
  return { get: (key) => lru.get(key), set: (key, value) => lru.set(key, value), unprotected: true, close() {} };
});
