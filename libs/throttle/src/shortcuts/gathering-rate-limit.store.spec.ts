import { Test, type TestingModule } from '@nestjs/testing';
import {
  defineScript,
  RedisConnections,
  RedisModule,
  RedisReplyError,
  RedisUnavailableError,
  type Commands,
} from '@roost/redis';
import { FaultProxy, RedisServer } from '@roost/testing';
import fc from 'fast-check';
import { MemoryRateLimitStore } from '../stores/memory-rate-limit.store.js';
import { limitKey } from '../stores/rate-limit.keys.js';
import type { DecideMode, LimitRequest, RateLimitStore, StoreVerdict } from '../stores/rate-limit.store.js';
import { RedisRateLimitStore } from '../stores/redis-rate-limit.store.js';
import { describeRateLimitStore, EPOCH_US, redisStoreWithClock } from '../testing.js';
import { consumeScripts, type ConsumeScripts } from './consume.lua.js';
import { GatheringRateLimitStore } from './gathering-rate-limit.store.js';
import { ShortcutStore } from './shortcut.store.js';

let server: RedisServer;
let app: TestingModule;
let commands: Commands;

beforeAll(async () => {
  server = await RedisServer.start({ appendonly: true });
  app = await connect(server.url);
  commands = app.get(RedisConnections).get().backend.commands;
});

afterAll(async () => {
  await app?.close();
  await server?.stop();
});

async function connect(url: string, commandTimeoutMs = 10_000): Promise<TestingModule> {
  const redis = RedisModule.forRoot({ url, backend: 'redis', commandTimeoutMs });
  return (await Test.createTestingModule({ imports: [redis] }).compile()).init();
}

let subject = 0;
const nameOf = (key: { name: string }) => `roost:${key.name}`;
const request = (overrides: Partial<LimitRequest> = {}, policy = 'gathered'): LimitRequest => ({
  key: limitKey(overrides.algorithm ?? 'gcra', policy, `subject-${subject}`),
  algorithm: 'gcra',
  limit: 10,
  windowUs: 60_000_000,
  cost: 1,
  ...overrides,
});
const gathering = (on: Commands = commands) => new GatheringRateLimitStore(new RedisRateLimitStore(on), on);
const atOnce = (store: RateLimitStore, count: number, limits: readonly LimitRequest[]) =>
  Promise.all(Array.from({ length: count }, () => store.decide(limits, 'consume')));

/** Never alone: every decision of a test travels with others, in one call of `rate.consume-many`. */
class Crowd extends ShortcutStore {
  override decide(...decision: Parameters<RateLimitStore['decide']>): Promise<StoreVerdict> {
    const bystander = (name: string) => void this.inner.decide([request({ limit: 1_000_000 }, name)], 'consume');
    bystander('first');
    const decided = this.inner.decide(...decision);
    bystander('last');
    return decided;
  }
}

/** Where the others of the call ask the same of other subjects: of one limit of gcra, in one call of `rate.consume-each`. */
class CrowdOfAlike extends ShortcutStore {
  #others = 0;

  override decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    const [{ key: _, ...limit }] = limits as [LimitRequest];
    if (limit.algorithm !== 'gcra' || limit.hold !== undefined || limit.block !== undefined)
      return this.inner.decide(limits, mode);
    const bystander = () => {
      const key = limitKey('gcra', 'other', `${++this.#others}`);
      this.inner.decide([{ ...limit, key }], 'consume').catch(() => undefined); // who asks wrongly is told himself
    };
    bystander();
    bystander();
    const decided = this.inner.decide(limits, mode);
    bystander();
    return decided;
  }
}

function crowdWithClock(on: Commands, Gathered: new (inner: RateLimitStore) => RateLimitStore = Crowd) {
  const opened = redisStoreWithClock(
    on,
    (store, variant) => new Gathered(new GatheringRateLimitStore(store, on, consumeScripts(variant))),
  );
  return { ...opened, close: () => undefined };
}

describeRateLimitStore('redis, gathered', () => crowdWithClock(commands), { runs: 30 });
describeRateLimitStore('redis, gathered with its like', () => crowdWithClock(commands, CrowdOfAlike), { runs: 30 });

describe('GatheringRateLimitStore', () => {
  beforeEach(() => void subject++);

  it('sends a decision that comes alone at once, by the small script', async () => {
    const before = await server.commandStats();
    const store = gathering();
    for (let i = 0; i < 5; i++) await store.decide([request()], 'consume');
    const after = await server.commandStats();
    expect(after.evalsha!.calls - before.evalsha!.calls).toBe(5);
    expect(after.mget?.calls).toBe(before.mget?.calls);
  });

  it('decides a turn in two calls or a few, besides the first that comes alone', async () => {
    const store = gathering();
    const limits = [request({ limit: 10_000, windowUs: 30 * 86_400_000_000 })];
    const turn = async (decisions: number) => {
      const before = (await server.commandStats()).evalsha?.calls ?? 0;
      await atOnce(store, decisions, limits);
      return (await server.commandStats()).evalsha!.calls - before;
    };
    const turns = [64, 64, 20, 1_000, 1_000, 200, 200];
    const calls: number[] = [];
    for (const decisions of turns) calls.push(await turn(decisions));
    expect(calls).toEqual([1 + 2, 2, 1, 32, 8, 2, 2]);
    const { remaining } = (await store.decide(limits, 'peek')).limits[0]!;
    expect(remaining).toBe(10_000 - turns.reduce((sum, each) => sum + each));
  });

  it('holds nothing beyond the end of its turn', async () => {
    const calls: string[] = [];
    const watched = Object.create(commands) as Commands;
    watched.run = (script, ...rest) => {
      calls.push(script.name);
      return commands.run(script, ...rest);
    };
    const store = gathering(watched);
    const decided = [store.decide([request()], 'consume')];
    expect(calls).toEqual(['rate.consume']);
    decided.push(store.decide([request()], 'consume'), store.decide([request()], 'consume'));
    expect(calls).toHaveLength(1);
    await new Promise(setImmediate);
    expect(calls).toEqual(['rate.consume', 'rate.consume-many']);
    await Promise.all(decided);
  });

  it('36: of a thousand at once each sees its own place, and each of three limits is charged for those that passed', async () => {
    const tiers = [
      request({ limit: 100, windowUs: 3_600_000_000 }, 'hour'),
      request({ limit: 150, algorithm: 'fixed-window', windowUs: 86_400_000_000 }, 'day'),
      request({ limit: 1_000, windowUs: 86_400_000_000 }, 'most'),
    ];
    const verdicts = await atOnce(gathering(), 1_000, tiers);
    const passed = verdicts.filter(({ allowed }) => allowed);
    expect(passed.map(({ limits }) => limits[0]!.remaining)).toEqual(Array.from({ length: 100 }, (_, i) => 99 - i));
    expect(passed.map(({ limits }) => limits[1]!.remaining)).toEqual(Array.from({ length: 100 }, (_, i) => 149 - i));
    expect(verdicts.at(-1)!.limits.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
      [false, 0],
      [true, 50],
      [true, 900],
    ]);
  });

  it('answers many at once as if they had come one after the other', async () => {
    const asks = fc.record({
      who: fc.integer({ min: 0, max: 4 }),
      limit: fc.constantFrom(3, 7, 50),
      cost: fc.constantFrom(0, 1, 1, 1, 2, 60),
      algorithm: fc.constantFrom('gcra' as const, 'fixed-window' as const),
      tiers: fc.boolean(),
    });
    const turns = fc.array(fc.array(asks, { maxLength: 80 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(turns, async (schedule) => {
        subject++;
        let nowUs = EPOCH_US;
        const { store, setClock } = crowdWithClock(commands);
        const reference = new MemoryRateLimitStore({ nowUs: () => nowUs });
        for (const turn of schedule) {
          await setClock((nowUs += 3_000_000));
          const requests = turn.map(({ who, tiers, ...ask }) => {
            const first = request(ask, `${tiers ? 'tiers' : 'alone'}-${who}`);
            return tiers ? [first, request({ ...ask, limit: ask.limit + 2 }, `second-${who}`)] : [first];
          });
          const answers = await Promise.all(requests.map((limits) => store.decide(limits, 'consume')));
          for (const [i, limits] of requests.entries()) {
            expect(answers[i]).toEqual(await reference.decide(limits, 'consume'));
          }
        }
        reference.close();
      }),
      { numRuns: 40 },
    );
  });

  it('45: everything it writes expires', async () => {
    const tiers = [request({ windowUs: 500_000 }), request({ algorithm: 'fixed-window', windowUs: 500_000 })];
    await atOnce(gathering(), 5, tiers);
    for (const { key } of tiers) {
      const left = Number(await server.command('PTTL', nameOf(key)));
      if (left !== -2) expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(500);
    }
  });

  it('46: knows the script again after SCRIPT FLUSH, and charges once', async () => {
    const store = gathering();
    await atOnce(store, 3, [request()]);
    await server.command('SCRIPT', 'FLUSH');
    await atOnce(store, 3, [request()]);
    expect((await store.decide([request()], 'peek')).limits[0]!.remaining).toBe(4);
  });

  it.each([
    ['SET', 'foo'],
    ['SET', '-5'],
    ['LPUSH', 'x'],
  ])('57: what is not ours (%s %s) fails its own decisions and no others, and stays', async (command, value) => {
    const [bad, good] = [request(), request({}, 'good')];
    await server.command(command, nameOf(bad.key), value);
    const store = gathering();
    const [first, second, third, fourth] = await Promise.allSettled([
      store.decide([good], 'consume'),
      store.decide([bad], 'consume'),
      store.decide([good], 'consume'),
      store.decide([good, bad], 'consume'),
    ]);
    expect([first!.status, third!.status]).toEqual(['fulfilled', 'fulfilled']);
    for (const each of [second!, fourth!]) expect(each).toMatchObject({ reason: expect.any(RedisReplyError) });
    expect(await server.command('TYPE', nameOf(bad.key))).toBe(command === 'SET' ? 'string' : 'list');
    expect((await store.decide([good], 'peek')).limits[0]!.remaining).toBe(8);
  });

  it('a blocked key is asked about by the general way', async () => {
    await server.command('SET', nameOf(request().key), '!1900000000000000', 'PX', '60000');
    const answer: StoreVerdict = { allowed: false, limits: [] };
    class General extends RedisRateLimitStore {
      asked = 0;
      override decide(...decision: Parameters<RateLimitStore['decide']>): Promise<StoreVerdict> {
        if (decision[0][0]!.key.name !== request().key.name) return super.decide(...decision);
        this.asked++;
        return Promise.resolve(answer);
      }
    }
    const general = new General(commands);
    const store = new Crowd(new GatheringRateLimitStore(general, commands));
    expect(await store.decide([request()], 'consume')).toBe(answer);
    expect(general.asked).toBe(1);
  });

  it('48: when the answer is lost every decision is told so, and none is asked again', async () => {
    const proxy = await FaultProxy.start({ target: server });
    const other = await connect(proxy.url, 500);
    try {
      const through = other.get(RedisConnections).get().backend.commands;
      const store = gathering(through);
      await atOnce(store, 3, [request({ limit: 100 })]);
      await proxy.dropReplies({ thenReset: true, once: true, to: 'evalsha' });
      const settled = await Promise.allSettled(
        Array.from({ length: 20 }, () => store.decide([request({ limit: 100 })], 'consume')),
      );
      expect(settled.every(({ status }) => status === 'rejected')).toBe(true);
      expect(settled[0]).toMatchObject({ reason: expect.any(RedisUnavailableError) });
      const { limits } = await gathering().decide([request({ limit: 100 })], 'peek');
      expect(limits[0]!.remaining).toBe(100 - 3 - 20);
    } finally {
      await other.close();
      await proxy.stop();
    }
  });

  describe('goes red', () => {
    const mutated = (which: keyof ConsumeScripts, from: string, to: string): ConsumeScripts => {
      const scripts = consumeScripts();
      const script = scripts[which];
      expect(script.lua).toContain(from);
      const lua = script.lua.replace(from, to);
      const { sha1 } = defineScript(script.name, { keys: [], args: [], reply: script.reply, lua });
      return { ...scripts, [which]: { ...script, lua, sha1 } };
    };
    const crowd = (scripts = consumeScripts()) =>
      new Crowd(new GatheringRateLimitStore(new RedisRateLimitStore(commands), commands, scripts));

    const leftOfTwo = async (script?: ConsumeScripts) => {
      const two = [request({ limit: 5 }), request({ limit: 2 }, 'second')];
      await atOnce(crowd(script), 4, two);
      const { limits } = await new RedisRateLimitStore(commands).decide(two, 'peek');
      return limits.map(({ remaining }) => remaining);
    };
    it('not as shipped', async () => expect(await leftOfTwo()).toEqual([3, 0]));
    it('when each limit is charged for what was asked of it', async () => {
      expect(await leftOfTwo(mutated('many', 'shape[3 * i] * fit', 'shape[3 * i] * times'))).not.toEqual([3, 0]);
    });
    it('when only the last limit has a say', async () => {
      expect(await leftOfTwo(mutated('many', 'if fit > 0 then', 'if fit > 0 and i == limits - 1 then'))).not.toEqual([
        3, 0,
      ]);
    });

    const leftAfterThree = async (script?: ConsumeScripts) => {
      const store = crowd(script);
      const verdicts = await Promise.all([1, 2, 3].map((cost) => store.decide([request({ cost })], 'consume')));
      return verdicts.map(({ limits }) => limits[0]!.remaining);
    };
    it('not as shipped, with one key in several demands', async () =>
      expect(await leftAfterThree()).toEqual([9, 7, 4]));
    it('when a key that was written is not read again', async () => {
      expect(await leftAfterThree(mutated('many', 'written[key] or ', ''))).not.toEqual([9, 7, 4]);
    });

    const admittedOfAlike = async (scripts = consumeScripts()) => {
      const store = new GatheringRateLimitStore(new RedisRateLimitStore(commands), commands, scripts);
      await commands.write('SET', request({}, 'foreign').key, 'not ours');
      const ask = (...policies: string[]) =>
        Promise.allSettled(policies.map((policy) => store.decide([request({ limit: 1 }, policy)], 'consume')));
      await ask('alone', 'one', 'two');
      const [, ...settled] = await ask('alone', 'one', 'foreign', 'three');
      return settled.map((each) => (each.status === 'fulfilled' ? each.value.allowed : each.status));
    };
    const ALIKE = [false, 'rejected', true];
    it('not as shipped, with many subjects of one limit', async () => expect(await admittedOfAlike()).toEqual(ALIKE));
    it.each([
      ['what does not fit is charged', 'used + need > capacity', 'false'],
      ['nothing is charged', "call('SET', key, ", "call('SET', key .. '-', "],
      ['what is not ours is overwritten', "not find(stored, '^%d+$')", 'false'],
    ])('when %s', async (_, from, to) => expect(await admittedOfAlike(mutated('each', from, to))).not.toEqual(ALIKE));
  });
});
