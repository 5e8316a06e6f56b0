import { RedisServer } from '@roost/testing';
import { Redis } from 'ioredis';
import { openApp, type PresenceApp } from './presence.testbed.js';

const MEMBERS = 1_000;

describe('what presence costs', () => {
  let server: RedisServer;
  let app: PresenceApp;
  beforeAll(async () => {
    server = await RedisServer.start();
    app = await openApp({ url: server.url, commandTimeoutMs: 5_000 }, { goneAfter: '10m', lease: '10m' });
    await Promise.all(Array.from({ length: MEMBERS }, (_, i) => app.presence.join('lobby', { userId: `user-${i}` })));
  });
  afterAll(async () => {
    await app?.close();
    await server?.stop();
  });

  /** Which commands the server runs, scripts and those in them, without the ones that it takes to ask. */
  async function counted(run: () => Promise<unknown>): Promise<Record<string, number>> {
    const before = await server.commandStats();
    await run();
    const after = await server.commandStats();
    const calls = Object.entries(after).map(([name, { calls }]) => [name, calls - (before[name]?.calls ?? 0)] as const);
    return Object.fromEntries(calls.filter(([name, count]) => count > 0 && !/^(info|auth|acl|hello)/.test(name)));
  }

  it('a sign of life of a process is one script and two commands in it, however many sockets it has', async () => {
    const commands = await counted(async () => {
      for (let i = 0; i < 10; i++) await app.room.node.beat();
    });
    // `zrangebyscore` comes once it looks for processes that died, `zscore` for two within a ms, as here.
    const { zscore: _, ...rest } = commands;
    expect(rest).toEqual({ evalsha: 10, time: 10, zadd: 10 });
  });

  it('who is in a room, how many are, and who of many is online is one command each, or one for each of 16 lists', async () => {
    await app.presence.list('lobby'); // opens the connection for what is read
    expect(await counted(() => app.presence.list('lobby'))).toEqual({ hgetall: 1 });
    expect(await counted(() => app.presence.count('lobby'))).toEqual({ hlen: 1 });
    const users = Array.from({ length: MEMBERS }, (_, i) => `user-${i}`);
    expect((await counted(() => app.presence.online(users)))['hmget']).toBeLessThanOrEqual(16);
    expect((await app.presence.online([...users, 'nobody'])).size).toBe(MEMBERS);
    expect((await app.presence.list('lobby')).members).toHaveLength(MEMBERS);
  });

  it('who is in a room of 1 000 is known at least 1.7 times as fast as by as many GETs in a pipeline', async () => {
    const redis = new Redis(server.url);
    const keys = Array.from({ length: MEMBERS }, (_, i) => `naive:${i}`);
    await redis.mset(Object.fromEntries(keys.map((key) => [key, 'online'])));
    const best = async (run: () => Promise<unknown>) => {
      let least = Infinity;
      for (let i = 0; i < 30; i++) {
        const startedAt = performance.now();
        await run();
        least = Math.min(least, performance.now() - startedAt);
      }
      return least;
    };
    const pipelined = () => {
      const pipeline = redis.pipeline();
      for (const key of keys) pipeline.get(key);
      return pipeline.exec();
    };
    const [listMs, getsMs] = [await best(() => app.presence.list('lobby')), await best(pipelined)];
    redis.disconnect();
    expect(getsMs / listMs).toBeGreaterThan(1.7);
  });
});
