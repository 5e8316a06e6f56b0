import { connect, type Connected } from '@roost/redis/testing';
import { RedisServer } from '@roost/testing';
import { randomBytes } from 'node:crypto';
import { describeLockStore, passInRedis, WAITER_TTL_MS } from '../testing.js';
import { RedisLockStore } from './redis-lock.store.js';

describe('on a server of its own', () => {
  let server: RedisServer;
  let redis: Connected;

  beforeAll(async () => {
    server = await RedisServer.start();
    redis = await connect({ url: server.url, backend: 'redis', commandTimeoutMs: 10_000 });
  });
  afterAll(async () => {
    await redis?.close();
    await server?.stop();
  });

  describeLockStore('redis', () => {
    const { commands, pubsub } = redis;
    const instance = randomBytes(16).toString('base64url');
    const rest = { instance, owner: 'host:1', waiterTtlMs: WAITER_TTL_MS, quarantineMs: 0 };
    const store = new RedisLockStore({ commands, again: commands, pubsub, ...rest });
    return { store, instance, pass: (ms) => passInRedis(commands, ms), close: () => undefined };
  });
});
