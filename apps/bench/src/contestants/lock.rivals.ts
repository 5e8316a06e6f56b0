import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import type { Contestant } from '../contestant.js';
import { LOCK_TTL_MS, openLock, type Locker } from './lock.js';

/** A wait that outlasts every load, for those that would else give up. */
const FOR_EVER = 1_000_000_000;

const RELEASE_LUA = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

interface WithRelease {
  /** Defined below: EVALSHA with one EVAL when the server does not know the script. */
  giveBack(key: string, token: string): Promise<number>;
}

/** The recipe: `SET NX PX`, and a script that deletes one's own. It has no way to wait; here it asks again every 10 ms. */
export const rawSet: Contestant = onIoredis(async (client) => {
  client.defineCommand('giveBack', { numberOfKeys: 1, lua: RELEASE_LUA });
  const scripted = client as unknown as WithRelease;
  return async (key) => {
    const [name, token] = [`lock:${key}`, randomUUID()];
    while ((await client.set(name, token, 'PX', LOCK_TTL_MS, 'NX')) === null) {
      await new Promise((resume) => setTimeout(resume, 10));
    }
    return () => scripted.giveBack(name, token);
  };
});

export const redlock: Contestant = onIoredis(async (client) => {
  const { default: Redlock } = await import('redlock');
  const locks = new Redlock([client], { retryCount: -1 });
  return async (key) => {
    const lock = await locks.acquire([key], LOCK_TTL_MS);
    return () => lock.release();
  };
});

export const redlockUniversal: Contestant = onIoredis(async (client) => {
  const { createLock, IoredisAdapter } = await import('redlock-universal');
  const adapter = new IoredisAdapter(client);
  return async (key) => {
    const lock = createLock({ adapter, key, ttl: LOCK_TTL_MS, retryAttempts: FOR_EVER });
    const handle = await lock.acquire();
    return () => lock.release(handle);
  };
});

export const redisSemaphore: Contestant = onIoredis(async (client) => {
  const { Mutex } = await import('redis-semaphore');
  return async (key) => {
    const mutex = new Mutex(client, key, { lockTimeout: LOCK_TTL_MS, acquireTimeout: FOR_EVER });
    await mutex.acquire();
    return () => mutex.release();
  };
});

export const verrou: Contestant = onIoredis(async (client) => {
  const [{ Verrou }, { redisStore }] = await Promise.all([
    import('@verrou/core'),
    import('@verrou/core/drivers/redis'),
  ]);
  const locks = new Verrou({ default: 'redis', stores: { redis: { driver: redisStore({ connection: client }) } } });
  return async (key) => {
    const lock = locks.createLock(key, LOCK_TTL_MS);
    await lock.acquire();
    return () => lock.release();
  };
});

/** In a process of its own each loads only itself. All are on an ioredis with default settings, and with the retry delays of their own. */
function onIoredis(open: (client: Redis) => Promise<Locker['acquire']>): Contestant {
  return async (task) => {
    const client = new Redis(task.redisUrl, { lazyConnect: true });
    await client.connect();
    return openLock({ acquire: await open(client), close: () => client.disconnect() });
  };
}
