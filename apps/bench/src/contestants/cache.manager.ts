import KeyvRedis from '@keyv/redis';
import { createCache, KeyvAdapter, type CacheManagerStore } from 'cache-manager';
import { redisInsStore } from 'cache-manager-ioredis-yet';
import { createKeyv } from 'cacheable';
import { Redis } from 'ioredis';
import { Keyv } from 'keyv';
import { cacheContestant, type Cacher, type CacheTask } from './cache.js';
import type { Item } from './cache-items.js';

/** cache-manager with `@keyv/redis`, which brings node-redis; in front of it, where asked, the memory of its README. */
export const cacheManagerKeyv = cacheContestant(async (task) => {
  const store = new KeyvRedis(task.redisUrl);
  await store.getClient();
  return managed(new Keyv({ store, namespace: 'bench', useKeyPrefix: false }), task);
});

/** cache-manager with `cache-manager-ioredis-yet` on an ioredis with default settings, in the one way that works with version 7. */
export const cacheManagerYet = cacheContestant(async (task) => {
  const client = new Redis(task.redisUrl, { lazyConnect: true });
  await client.connect();
  const legacy = redisInsStore(client as never) as unknown as CacheManagerStore; // it knows the types of ioredis 5
  const cache = managed(new Keyv({ store: new KeyvAdapter(legacy), namespace: 'bench' }), task);
  return {
    ...cache,
    async close() {
      await cache.close();
      client.disconnect(); // the store leaves it open
    },
  };
});

function managed(redis: Keyv, { near, ttlMs }: CacheTask): Cacher {
  const stores = near ? [createKeyv({ ttl: ttlMs, lruSize: 10_000 }), redis] : [redis];
  const cache = createCache({ stores, ttl: ttlMs });
  return {
    get: (key) => cache.get<Item>(key),
    set: (key, value) => cache.set(key, value),
    getOrSet: (key, load) => cache.wrap(key, load),
    getMany: (keys) => cache.mget<Item>(keys),
    close: () => cache.disconnect(),
  };
}
