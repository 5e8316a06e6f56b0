import type { SessionNews } from './index.js';
import { connect, type Connected } from '@roost/redis/testing';
import { RedisServer } from '@roost/testing';
import { promisify } from 'node:util';
import { MemoryCodeStore } from './one-time/memory-code.store.js';
import { RedisCodeStore } from './one-time/redis-code.store.js';
import { start } from './session.testbed.js';
import { MemorySessionStore } from './sessions/memory-session.store.js';
import { RedisSessionStore } from './sessions/redis-session.store.js';
import {
  describeCodeStore,
  describeSessionStore,
  describeValueStore,
  passInRedis,
  runSessionStoreCompliance,
} from './testing.js';
import { MemoryValueStore } from './values/memory-value.store.js';
import { RedisValueStore } from './values/redis-value.store.js';

const close = () => undefined;

describe('in this process', () => {
  const timed = <Store>(make: (clock: () => number) => Store) => {
    let ms = 1_800_000_000_000;
    return { store: make(() => ms), pass: (by: number) => void (ms += by), close };
  };
  describeSessionStore('memory', () => {
    const told: SessionNews[] = [];
    const tell = (news: SessionNews) => void told.push(news);
    return { ...timed((clock) => new MemorySessionStore({ clock, tell })), news: async () => told };
  });
  describeCodeStore('memory', () => timed((clock) => new MemoryCodeStore(clock)));
  describeValueStore('memory', () => timed((clock) => new MemoryValueStore(clock)));
  runSessionStoreCompliance('memory', async () => {
    const { room, pass, close: stop } = await start();
    return { store: room.stores.create(), pass, close: stop };
  });
});

describe('in Redis', () => {
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
  const pass = (ms: number) => passInRedis(redis.commands, ms);

  describeSessionStore('redis', async () => {
    const { commands, pubsub, connection } = redis;
    const told: SessionNews[] = [];
    const stop = await pubsub.subscribe('news', (message) => void told.push(JSON.parse(message) as SessionNews));
    const store = new RedisSessionStore({ commands, keyPrefix: connection.keyPrefix, channel: pubsub.wire('news') });
    const news = async () => {
      // What was published before this message was heard before it.
      const heard = new Promise<void>(
        (resolve) => void pubsub.subscribe('last', () => resolve()).then(() => pubsub.publish('last', '')),
      );
      await heard;
      return told;
    };
    return { store, pass, news, close: stop };
  });
  describeCodeStore('redis', () => ({ store: new RedisCodeStore(redis.commands), pass, close }));
  describeValueStore('redis', () => ({ store: new RedisValueStore(redis.commands), pass, close }));
  runSessionStoreCompliance('redis', async () => {
    const { room, close: stop } = await start({}, { url: server.url });
    return { store: room.stores.create(), pass, close: stop };
  });
  runSessionStoreCompliance('redis, a prefix of other characters', async () => {
    const { room, close: stop } = await start({}, { url: server.url, keyPrefix: 'app.1:_-x' });
    return { store: room.stores.create(), pass, close: stop };
  });

  it('leaves no key without an expiry', async () => {
    const names = await server.keys();
    const ttls = await Promise.all(names.map((name) => server.command('PTTL', name)));
    expect(names.length).toBeGreaterThan(5);
    expect(ttls.filter((ttl) => Number(ttl) < 0)).toEqual([]);
  });

  it('case 78: counts its own keys, also where others look alike', async () => {
    const { room, close: stop } = await start({}, { url: server.url, keyPrefix: 'app' });
    await server.command('SET', 'app:{session}:ended:x', '1');
    await server.command('SET', 'appx:{session}:id:x', '1');
    const store = room.stores.create();
    await promisify(store.set.bind(store) as (id: string, session: object, reply: () => void) => void)('a', {
      cookie: {},
    });
    await expect(promisify(store.length.bind(store))()).resolves.toBe(1);
    await stop();
  });
});
