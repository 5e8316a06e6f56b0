import KeyvRedis from '@keyv/redis';
import { Cacheable } from 'cacheable';
import { Keyv } from 'keyv';
import { cacheContestant } from './cache.js';
import type { Item } from './cache-items.js';

/** cacheable with `@keyv/redis` behind its memory, or instead of it. */
export const cacheable = cacheContestant(async ({ redisUrl, near, ttlMs }) => {
  const store = new KeyvRedis(redisUrl);
  await store.getClient();
  const redis = new Keyv({ store, namespace: 'bench', useKeyPrefix: false });
  const cache = new Cacheable({ ttl: ttlMs, ...(near ? { secondary: redis } : { primary: redis }) });
  return {
    get: (key) => cache.get<Item>(key),
    set: (key, value) => cache.set(key, value),
    getOrSet: async (key, load) => (await cache.getOrSet(key, load))!,
    getMany: (keys) => cache.getMany<Item>(keys),
    close: () => cache.disconnect(),
  };
});
