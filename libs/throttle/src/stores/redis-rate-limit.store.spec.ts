import { Test, type TestingModule } from '@nestjs/testing';
import { RedisConnections, RedisModule, RedisReplyError, type Commands, type Key } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import { decideScripts } from './decide.lua.js';
import { limitKey } from './rate-limit.keys.js';
import { RedisRateLimitStore } from './redis-rate-limit.store.js';
import type { LimitRequest } from './rate-limit.store.js';
import { ALGORITHMS, describeRateLimitStore, redisStoreWithClock } from '../testing.js';

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

  it.each(ALGORITHMS)('45: a %s key without expiry gets one at its next charge', async (algorithm) => {
    const key = limitKey(algorithm, 'redis', `subject-${subject}`);
    const violations = limitKey('violations', 'redis', `subject-${subject}`);
    const block = { after: 9, forMs: 1_000, withinMs: 60_000, violations };
    const calendar = { unit: 'day', timeZone: 'UTC' } as const;
    let charges = 0;
    const hit = () =>
      store.decide(
        [
          request({
            key,
            algorithm,
            windowUs: 60_000_000,
            calendar,
            block,
            hold: { id: `hit-${charges++}`, expiresMs: null },
          }),
        ],
        'consume',
      );
    const ttlOf = async (of: Key) => Number(await server.command('PTTL', nameOf(of)));
    await hit();
    await server.command('PERSIST', nameOf(key));
    expect(await ttlOf(key)).toBe(-1);
    await hit();
    expect(await ttlOf(key)).toBeGreaterThan(0);
    await hit(); // refused
    await store.adjust([request({ key, algorithm, windowUs: 60_000_000, calendar, cost: 2 })]);
    for (let i = 0; i < 2; i++) {
      expect((await hit()).allowed).toBe(false);
      expect(await ttlOf(violations)).toBeGreaterThan(0);
      await server.command('PERSIST', nameOf(violations));
    }
    await store.block([key], 1_000);
    expect(await ttlOf(key)).toBeGreaterThan(0);
    await server.command('PERSIST', nameOf(key));
    await store.block([key], 1);
    expect(await ttlOf(key)).not.toBe(-1);
  });

  it.each(ALGORITHMS)('45: what is left of a %s block without expiry is in nobody’s way', async (algorithm) => {
    const key = limitKey(algorithm, 'redis', `subject-${subject}`);
    const calendar = { unit: 'day', timeZone: 'UTC' } as const;
    await server.command('SET', nameOf(key), '!1000000000000000');
    const hold = { id: 'one', expiresMs: null };
    const { limits } = await store.decide(
      [request({ key, algorithm, windowUs: 60_000_000, calendar, hold })],
      'consume',
    );
    expect(limits[0]).toMatchObject({ allowed: true, remaining: 1 });
    expect(Number(await server.command('PTTL', nameOf(key)))).toBeGreaterThan(0);
  });

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

  const operations = {
    decide: (limit: LimitRequest) => store.decide([limit], 'consume'),
    peek: (limit: LimitRequest) => store.decide([limit], 'peek'),
    hold: (limit: LimitRequest) => store.decide([{ ...limit, hold: { id: 'x', expiresMs: 10 } }], 'consume'),
    settle: (limit: LimitRequest) => store.settle([{ ...limit, holdId: 'x', held: 1, cost: 0 }]),
    adjust: (limit: LimitRequest) => store.adjust([limit]),
    block: (limit: LimitRequest) => store.block([limit.key], 1_000),
  };

  it.each([
    ['gcra', 'foo'],
    ['gcra', '-5'],
    ['gcra', '1e9'],
    ['gcra', '9000000000000000 a,b,c'],
    ['gcra', '9000000000000000 a,1,1,1 '],
    ['fixed-window', 'foo'],
    ['fixed-window', '12'],
    ['fixed-window', '1:2:3'],
    ['calendar', '1:2:3'],
    ['sliding-window', '1:2'],
    ['sliding-window', '1:2:3:4'],
    ['sliding-log', '12'],
    ['concurrency', 'foo'],
    ['concurrency', '!soon'],
  ] as const)('57: a value that is not ours (%s, %s) is an error, and stays', async (algorithm, value) => {
    const key = limitKey(algorithm, 'redis', `subject-${subject}`);
    await server.command('SET', nameOf(key), value);
    const calendar = { unit: 'day', timeZone: 'UTC' } as const;
    for (const [name, run] of Object.entries(operations)) {
      if (name === 'block' && /^[!\d]/.test(value)) continue; // could be of another algorithm
      if (algorithm === 'concurrency' && name === 'decide') continue;
      await expect(run(request({ key, algorithm, calendar }))).rejects.toThrow(RedisReplyError);
      expect(await server.command('GET', nameOf(key))).toBe(value);
    }
  });

  it.each(['gcra', 'sliding-log'] as const)('57: a list at a key of %s is an error, and stays', async (algorithm) => {
    const key = limitKey(algorithm, 'redis', `subject-${subject}`);
    await server.command('LPUSH', nameOf(key), 'x');
    for (const run of Object.values(operations)) {
      await expect(run(request({ key, algorithm }))).rejects.toThrow(RedisReplyError);
      expect(await server.command('TYPE', nameOf(key))).toBe('list');
    }
    expect(await store.unblock([key])).toBe(0);
  });

  it('57: a count of refusals that is not ours is an error, and stays', async () => {
    const violations = limitKey('violations', 'redis', `subject-${subject}`);
    await server.command('SET', nameOf(violations), 'foo');
    const block = { after: 1, forMs: 1_000, withinMs: 1_000, violations };
    await expect(store.decide([request({ cost: 3, block })], 'consume')).rejects.toThrow(RedisReplyError);
    await expect(store.violations([violations])).rejects.toThrow(RedisReplyError);
    expect(await server.command('GET', nameOf(violations))).toBe('foo');
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
    await expect(store.adjust([other, request()])).rejects.toThrow(RedisReplyError);
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
