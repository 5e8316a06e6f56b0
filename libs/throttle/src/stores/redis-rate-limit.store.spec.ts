import { Test, type TestingModule } from '@nestjs/testing';
import { RedisConnections, RedisModule, RedisReplyError, type Commands } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import { decideScripts } from './decide.lua.js';
import { limitKey } from './rate-limit.keys.js';
import { RedisRateLimitStore } from './redis-rate-limit.store.js';
import { describeRateLimitStore, redisStoreWithClock } from '../testing.js';

let server: RedisServer;
let app: TestingModule;
let commands: Commands;

beforeAll(async () => {
  server = await RedisServer.start();
  app = await Test.createTestingModule({
    imports: [RedisModule.forRoot({ url: server.url, backend: 'redis', commandTimeoutMs: 10_000 })],
  }).compile();
  await app.init();
  commands = app.get(RedisConnections).get().backend.commands;
});

afterAll(async () => {
  await app?.close();
  await server?.stop();
});

describeRateLimitStore('redis', () => ({ ...redisStoreWithClock(commands), close: () => undefined }), { runs: 30 });

describe('RedisRateLimitStore', () => {
  let store: RedisRateLimitStore;
  let subject = 0;
  const request = (overrides: object = {}) => ({
    key: limitKey('gcra', 'redis', `subject-${subject}`),
    algorithm: 'gcra' as const,
    limit: 2,
    windowUs: 500_000,
    cost: 1,
    ...overrides,
  });
  const nameOf = (key: { name: string }) => `roost:${key.name}`;

  beforeEach(() => {
    store = new RedisRateLimitStore(commands);
    subject++;
  });

  it('15: a key lives at most as long as it matters', async () => {
    await store.decide([request()], 'consume');
    await store.decide([request()], 'consume');
    const ttl = Number(await server.command('PTTL', nameOf(request().key)));
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(500);
  });

  it('11: a peek leaves the value as it is, byte by byte, and so does a refusal', async () => {
    await store.decide([request({ windowUs: 60_000_000, limit: 1 })], 'consume');
    const before = await server.command('GET', nameOf(request().key));
    await store.decide([request({ windowUs: 60_000_000, limit: 1 })], 'peek');
    await store.decide([request({ windowUs: 60_000_000, limit: 1 })], 'consume');
    await store.decide([request({ windowUs: 60_000_000, limit: 1, cost: 0 })], 'consume');
    expect(await server.command('GET', nameOf(request().key))).toBe(before);
    expect(before).toMatch(/^\d{16}$/);
  });

  it.each(['gcra', 'fixed-window'] as const)(
    '45: a %s key without expiry gets one when it is written',
    async (algorithm) => {
      const key = limitKey(algorithm, 'redis', `subject-${subject}`);
      await store.decide([request({ key, algorithm })], 'consume');
      await server.command('PERSIST', nameOf(key));
      await store.decide([request({ key, algorithm })], 'consume');
      expect(Number(await server.command('PTTL', nameOf(key)))).toBeGreaterThan(0);
    },
  );

  it('46: a server that forgot its scripts is taught them, and charges once', async () => {
    await store.decide([request({ limit: 9, windowUs: 60_000_000 })], 'consume');
    await server.command('SCRIPT', 'FLUSH');
    const { limits } = await store.decide([request({ limit: 9, windowUs: 60_000_000 })], 'consume');
    expect(limits[0]!.remaining).toBe(7);
  });

  it('50: this process’ clock does not matter', async () => {
    const now = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 3_600_000);
    try {
      const here = await store.decide([request({ windowUs: 60_000_000 })], 'consume');
      now.mockRestore();
      const there = await store.decide([request({ windowUs: 60_000_000 })], 'consume');
      expect([here.limits[0]!.remaining, there.limits[0]!.remaining]).toEqual([1, 0]);
    } finally {
      now.mockRestore();
    }
    const { one, any, ...others } = decideScripts();
    for (const { name, lua } of [one.consume, one.peek, any.consume, any.peek, ...Object.values(others)]) {
      expect([name, lua.match(/local time = .*/g)]).toEqual([name, [`local time = redis.call('TIME')`]]);
    }
  });

  it.each([
    ['gcra', 'foo'],
    ['gcra', '-5'],
    ['gcra', '1e9'],
    ['fixed-window', 'foo'],
    ['fixed-window', '12'],
    ['fixed-window', '1:2:3'],
  ] as const)('57: a value that is not ours (%s, %s) is an error, and stays', async (algorithm, value) => {
    const key = limitKey(algorithm, 'redis', `subject-${subject}`);
    await server.command('SET', nameOf(key), value);
    await expect(store.decide([request({ key, algorithm })], 'consume')).rejects.toThrow(RedisReplyError);
    expect(await server.command('GET', nameOf(key))).toBe(value);
  });

  it('57: a value of another type is an error, and stays', async () => {
    await server.command('LPUSH', nameOf(request().key), 'x');
    await expect(store.decide([request()], 'consume')).rejects.toThrow(/WRONGTYPE/);
    expect(await server.command('TYPE', nameOf(request().key))).toBe('list');
  });

  it.each(['foo', '-5', '1e9'])('57: a value that is not ours (%s) is one among several limits too', async (value) => {
    const other = { ...request(), key: limitKey('gcra', 'other', `subject-${subject}`) };
    await server.command('SET', nameOf(request().key), value);
    await expect(store.decide([other, request()], 'consume')).rejects.toThrow(RedisReplyError);
    expect(await server.command('GET', nameOf(request().key))).toBe(value);
  });

  it('57: an error at one limit charges none of the others', async () => {
    const other = { ...request(), key: limitKey('gcra', 'other', `subject-${subject}`) };
    await server.command('SET', nameOf(request().key), 'foo');
    await expect(store.decide([other, request()], 'consume')).rejects.toThrow(RedisReplyError);
    expect(await server.command('EXISTS', nameOf(other.key))).toBe(0);
  });

  it('decides several limits in one call', async () => {
    await store.decide([request()], 'consume');
    const before = await server.commandStats();
    const tiers = [1, 2, 3].map((n) => ({ ...request(), key: limitKey('gcra', `tier-${n}`, 'one-call') }));
    await store.decide(tiers, 'consume');
    const after = await server.commandStats();
    expect(after.evalsha!.calls - before.evalsha!.calls).toBe(1);
    expect(after.set!.calls - before.set!.calls).toBe(3);
  });
});
