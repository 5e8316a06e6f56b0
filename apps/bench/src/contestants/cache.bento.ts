import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis';
import { Redis } from 'ioredis';
import { cacheContestant } from './cache.js';

/** bentocache on an ioredis with default settings; near with its memory, which serializes, and its bus. */
export const bento = cacheContestant(async ({ redisUrl, near, ttlMs }) => {
  const { hostname: host, port } = new URL(redisUrl);
  const connection = new Redis(redisUrl, { lazyConnect: true });
  await connection.connect();
  const far = bentostore().useL2Layer(redisDriver({ connection }));
  const store = near
    ? far
        .useL1Layer(memoryDriver({ maxItems: 10_000, maxSize: '32mb' }))
        .useBus(redisBusDriver({ connection: { host, port: Number(port) } }))
    : far;
  const cache = new BentoCache({ default: 'bench', stores: { bench: store }, ttl: ttlMs });
  return {
    get: (key) => cache.get({ key }),
    set: (key, value) => cache.set({ key, value }),
    getOrSet: (key, factory) => cache.getOrSet({ key, factory }),
    getMany: (keys) => Promise.all(keys.map((key) => cache.get({ key }))), // it has no other way
    close: () => cache.disconnectAll(),
  };
});
