import type { Contestant } from '../contestant.js';

/** Loaded by name, so that a child process holds the code of one contestant only. */
const CONTESTANTS: Readonly<Record<string, () => Promise<Contestant>>> = {
  // One command per operation
  Roost: async () => (await import('./commands.roost.js')).roost('shipped'),
  'Roost, process.nextTick': async () => (await import('./commands.roost.js')).roost('next tick'),
  'Roost, uncorked': async () => (await import('./commands.roost.js')).roost('uncorked'),
  ioredis: async () => (await import('./commands.ioredis.js')).ioredis({}),
  'ioredis, corked': async () => (await import('./commands.ioredis.js')).ioredis({}, true),
  'ioredis, enableAutoPipelining': async () =>
    (await import('./commands.ioredis.js')).ioredis({ enableAutoPipelining: true }),

  // One check of a limit per operation
  'Roost RateLimiter': async () => (await import('./limiter.roost.js')).roostLimiter('redis'),
  'Roost RateLimiter, leases': async () => (await import('./limiter.roost.js')).roostLimiter('redis', { lease: true }),
  'Roost RateLimiter, memory': async () => (await import('./limiter.roost.js')).roostLimiter('memory'),
  'rate-limiter-flexible': async () => (await import('./limiter.flexible.js')).flexible,
  'rate-limiter-flexible, inMemoryBlockOnConsumed': async () =>
    (await import('./limiter.flexible.js')).flexibleBlocking,
  'rate-limiter-flexible, memory': async () => (await import('./limiter.flexible.js')).flexibleMemory,
  'rate-limiter-flexible, insured': async () => (await import('./limiter.flexible.js')).flexibleInsured({}),
  'rate-limiter-flexible, insured, commandTimeout 250': async () =>
    (await import('./limiter.flexible.js')).flexibleInsured({ commandTimeout: 250 }),
  'nest-lab storage': async () => (await import('./limiter.throttler.js')).nestLab,
  '@nestjs/throttler memory': async () => (await import('./limiter.throttler.js')).throttlerMemory,
  'Postgres counter': async () => (await import('./limiter.postgres.js')).postgresCounter,
  'raw INCR': async () => (await import('./limiter.raw.js')).rawIncr,
  'raw EVALSHA': async () => (await import('./limiter.raw.js')).rawEvalsha({}),
  'raw EVALSHA, enableAutoPipelining': async () =>
    (await import('./limiter.raw.js')).rawEvalsha({ enableAutoPipelining: true }),

  // A lock
  'Roost LockService': async () => (await import('./lock.roost.js')).roostLock,
  'raw SET NX PX': async () => (await import('./lock.rivals.js')).rawSet,
  'redlock 5 beta': async () => (await import('./lock.rivals.js')).redlock,
  'redlock-universal': async () => (await import('./lock.rivals.js')).redlockUniversal,
  'redis-semaphore': async () => (await import('./lock.rivals.js')).redisSemaphore,
  verrou: async () => (await import('./lock.rivals.js')).verrou,

  // Values in this process and in Redis
  'Roost CacheService': async () => (await import('./cache.roost.js')).roostCache,
  'raw GET': async () => (await import('./cache.raw.js')).rawGet,
  'lru-cache': async () => (await import('./cache.raw.js')).lruCache,
  'cache-manager + @keyv/redis': async () => (await import('./cache.manager.js')).cacheManagerKeyv,
  'cache-manager + ioredis-yet': async () => (await import('./cache.manager.js')).cacheManagerYet,
  bentocache: async () => (await import('./cache.bento.js')).bento,
  cacheable: async () => (await import('./cache.cacheable.js')).cacheable,

  // Jobs
  'Roost JobQueue': async () => (await import('./queue.roost.js')).roostQueue('redis'),
  'Roost JobQueue, Postgres': async () => (await import('./queue.roost.js')).roostQueue('postgres'),
  'Roost streams': async () => (await import('./queue.streams.js')).roostStreams,
  BullMQ: async () => (await import('./queue.bullmq.js')).bullmqRedis('plain'),
  'BullMQ, options as ours': async () => (await import('./queue.bullmq.js')).bullmqRedis('as ours'),
  'BullMQ, options as ours, corked': async () => (await import('./queue.bullmq.js')).bullmqRedis('corked'),
  'BullMQ, Postgres': async () => (await import('./queue.bullmq.js')).bullmqPostgres('plain'),
  'BullMQ, options as ours, Postgres': async () => (await import('./queue.bullmq.js')).bullmqPostgres('as ours'),
  'pg-boss': async () => (await import('./queue.pg-boss.js')).pgBoss,
  'graphile-worker': async () => (await import('./queue.graphile.js')).graphileWorker,

  // Who is in a room, and who is online
  'Roost PresenceService': async () => (await import('./presence.roost.js')).roostPresence,
  'SET EX': async () => (await import('./presence.keys.js')).presenceKeys('one by one'),
  'SET EX, pipelined': async () => (await import('./presence.keys.js')).presenceKeys('pipelined'),
  'GETs in a pipeline': async () => (await import('./presence.keys.js')).presenceKeys('pipelined'),
  MGET: async () => (await import('./presence.keys.js')).presenceKeys('mget'),
  'an idle server': async () => (await import('./presence.js')).nobody,

  // A NestJS application with one limited route
  'no limiter': async () => (await import('./http.unlimited.js')).unlimited,
  'empty guard': async () => (await import('./http.unlimited.js')).emptyGuard,
  'Roost guard, Redis': async () => (await import('./http.roost.js')).roostGuard('redis'),
  'Roost guard, memory': async () => (await import('./http.roost.js')).roostGuard('memory'),
  'ThrottlerGuard + nest-lab': async () => (await import('./http.throttler.js')).throttlerGuard('redis'),
  'ThrottlerGuard, memory': async () => (await import('./http.throttler.js')).throttlerGuard('memory'),

  // A NestJS application with one cached route
  'bare route': async () => (await import('./http.unlimited.js')).unlimited,
  'empty interceptor': async () => (await import('./http.cache.js')).emptyInterceptor,
  'Roost @CacheResponse': async () => (await import('./http.cache.roost.js')).roostResponse,
  'CacheInterceptor, memory': async () => (await import('./http.cache.js')).cacheInterceptor('memory'),
  'CacheInterceptor + @keyv/redis': async () => (await import('./http.cache.js')).cacheInterceptor('redis'),
};

/** @throws when nobody has this name. */
export function contestantCalled(name: string): Promise<Contestant> {
  const load = CONTESTANTS[name];
  if (!load) throw new Error(`Expected one of ${Object.keys(CONTESTANTS).join(' | ')}, got ${name}`);
  return load();
}
