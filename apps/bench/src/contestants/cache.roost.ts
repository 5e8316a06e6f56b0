import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { CacheModule, CacheService } from '@roost/cache';
import { RedisModule } from '@roost/redis';
import { cacheContestant } from './cache.js';
import type { Item } from './cache-items.js';

class BenchModule {}

/** `CacheService` with the module's defaults, or with values in Redis alone. */
export const roostCache = cacheContestant(async ({ redisUrl, near, ttlMs }) => {
  const imports = [RedisModule.forRoot({ url: redisUrl }), CacheModule.forRoot(near ? {} : { near: false })];
  const app = await NestFactory.createApplicationContext({ module: BenchModule, imports }, { logger: false });
  const cache = app.get(CacheService);
  const options = { ttl: ttlMs };
  return {
    get: (key) => cache.get<Item>(key),
    set: (key, value) => cache.set(key, value, options),
    getOrSet: (key, load) => cache.getOrSet(key, load, options),
    getMany: (keys) => cache.getMany<Item>(keys),
    close: () => app.close(),
  };
});
