import type { Key } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import { InvalidSessionCallError, SessionTooLargeError, UnstorableValueError, type SessionOptions } from '../index.js';
import { rolloutKeyOf } from '../session.keys.js';
import { start, type Process } from '../session.testbed.js';
import { processClock, StoreChoice } from '../store-choice.js';
import { MemoryValueStore } from '../values/memory-value.store.js';
import type { ValueStore } from '../values/value.store.js';
import { KnownValues } from './known-values.js';

let server: RedisServer;
beforeAll(async () => (server = await RedisServer.start()));
afterAll(() => server.stop());

const processes: Process[] = [];
afterEach(async () => void (await Promise.all(processes.splice(0).map((each) => each.close()))));
const boot = async (options: SessionOptions = {}, inRedis = true): Promise<Process> => {
  const made = await start(options, inRedis ? { url: server.url, commandTimeoutMs: 5_000 } : {});
  processes.push(made);
  return made;
};
const someone = () => `user-${Math.random()}`;

describe.each([
  ['Redis', true],
  ['memory', false],
])('flags in %s', (_where, inRedis) => {
  it('are set, read, consumed once and cleared', async () => {
    const { flags } = (await boot({}, inRedis)).room;
    const ann = someone();
    expect(await flags.get(ann, 'otp_valid')).toBeUndefined();
    await flags.set(ann, 'otp_valid');
    await flags.set(ann, 'step', { page: 2 }, { ttl: '30m' });
    expect(await flags.get(ann, 'otp_valid')).toBe(true);
    expect(await flags.get(someone(), 'otp_valid')).toBeUndefined();
    const consumed = await Promise.all(Array.from({ length: 10 }, () => flags.consume(ann, 'otp_valid')));
    expect(consumed.filter(Boolean)).toEqual([true]);
    expect(await flags.get(ann, 'step')).toEqual({ page: 2 });
    expect([await flags.clear(ann, 'step'), await flags.clear(ann, 'step')]).toEqual([true, false]);
  });

  it('last 5 to 30 minutes, and hold a kilobyte of JSON', async () => {
    const { flags } = (await boot({}, inRedis)).room;
    for (const ttl of [299_999, '31m', 0] as const) {
      await expect(flags.set('ann', 'x', true, { ttl })).rejects.toThrow(/5 to 30 minutes|duration/);
    }
    await expect(flags.set('ann', 'x', 'x'.repeat(1_100))).rejects.toThrow(SessionTooLargeError);
    await expect(flags.set('ann', 'x', () => 1)).rejects.toThrow(UnstorableValueError);
  });
});

describe('the key of a flag', () => {
  it('is the one of the guide, for 5 minutes; no user makes the key of another', async () => {
    const { flags } = (await boot()).room;
    await server.command('FLUSHALL');
    await flags.set('789', 'otp_valid');
    expect(await server.keys()).toEqual(['roost:session:789:otp_valid']);
    expect(await server.command('GET', 'roost:session:789:otp_valid')).toBe('true');
    expect(await server.command('TTL', 'roost:session:789:otp_valid')).toBeGreaterThan(295);
    expect(Number(await server.command('MEMORY', 'USAGE', 'roost:session:789:otp_valid'))).toBeLessThan(150);
    await flags.set('a:b', 'c');
    expect(await flags.get('a', 'b:c')).toBeUndefined();
    await server.command('SET', 'roost:session:789:broken', '{bad', 'EX', 60);
    expect(await flags.get('789', 'broken')).toBeUndefined();
  });
});

describe.each([
  ['Redis', true],
  ['memory', false],
])('features in %s', (_where, inRedis) => {
  it('are on by kill, override, rollout and options, in this order', async () => {
    const { features } = (await boot({ features: { old: 100 } }, inRedis)).room;
    const name = someone();
    const state = async (feature = name) => {
      const { on, because } = await features.explain(feature, 'ann');
      return `${because} ${on}`;
    };
    expect([await state(), await state('old')]).toEqual(['default false', 'default true']);
    await features.rollOut(name, 100);
    expect(await state()).toBe('rollout true');
    await features.override(name, 'ann', false);
    expect(await state()).toBe('override false');
    expect(await features.isOn(name, 'bob')).toBe(true);
    await features.override(name, 'ann', true);
    await features.killUntil(name, new Date(Date.now() + 60_000));
    expect(await state()).toBe('killed false');
    await features.revive(name);
    expect(await state()).toBe('override true');
    await features.clearOverride(name, 'ann');
    await features.clearRollOut(name);
    expect(await state()).toBe('default false');
    await expect(features.rollOut(name, 101)).rejects.toThrow(InvalidSessionCallError);
    await expect(features.rollOut(name, 1, { ttl: '91d' })).rejects.toThrow(InvalidSessionCallError);
    await expect(features.killUntil(name, new Date(0))).rejects.toThrow(InvalidSessionCallError);
  });

  it('take the same users in at each percentage, and nobody out as it grows', async () => {
    const { features } = (await boot({}, inRedis)).room;
    const [name, users] = [someone(), Array.from({ length: 1_000 }, (_, i) => `user-${i}`)];
    const on = async (percent: number) => {
      await features.rollOut(name, percent);
      const states = await Promise.all(users.map((each) => features.isOn(name, each)));
      return users.filter((_, i) => states[i]);
    };
    const [none, tenth, half, all] = [await on(0), await on(10), await on(50), await on(100)];
    expect([none.length, all.length]).toEqual([0, 1_000]);
    expect(tenth.length).toBeGreaterThan(60);
    expect(tenth.length).toBeLessThan(140);
    expect(half).toEqual(expect.arrayContaining(tenth));
    expect(await on(10)).toEqual(tenth);
  });
});

describe('a change', () => {
  it('is not undone by an answer that was on its way before it', async () => {
    const { redis } = await boot({}, false);
    let answer!: () => void;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    class Late extends MemoryValueStore {
      override async get(key: Key) {
        const found = await super.get(key);
        await answered;
        return found;
      }
    }
    const store = new Late();
    const choice = new StoreChoice<ValueStore>(redis.backend, 'memory', store, store);
    const known = new KnownValues(choice, redis.pubsub, processClock, { error: () => undefined });
    const key = rolloutKeyOf('new');
    const asked = known.get(key);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await known.set(key, '50', 60_000);
    answer();
    expect(await asked).toEqual({ value: undefined, stale: false });
    expect(await known.get(key)).toEqual({ value: '50', stale: false });
  });
});

describe('features of several processes', () => {
  it('change everywhere at once, and ask Redis no more than needed', async () => {
    const [one, two] = [await boot(), await boot()];
    const name = someone();
    expect(await two.room.features.isOn(name, 'ann')).toBe(false);
    const { evalsha } = await server.commandStats();
    for (let i = 0; i < 50; i++) await two.room.features.isOn(name, 'ann');
    expect((await server.commandStats())['evalsha']!.calls).toBe(evalsha!.calls);
    await one.room.features.rollOut(name, 100);
    await eventually(() => two.room.features.isOn(name, 'ann'), { within: 1_000 });
    await server.command('DEL', `roost:flag-rollout:${name}`); // by hand: nobody is told
    two.pass(10_001);
    expect(await two.room.features.isOn(name, 'ann')).toBe(false);
  });

  it('are kept for a day, under the key of the guide', async () => {
    const { features } = (await boot()).room;
    await server.command('FLUSHALL');
    await features.override('new-checkout', '42', true);
    expect(await server.keys()).toEqual(['roost:flag:new-checkout:42']);
    expect(await server.command('TTL', 'roost:flag:new-checkout:42')).toBeGreaterThan(86_390);
  });
});
