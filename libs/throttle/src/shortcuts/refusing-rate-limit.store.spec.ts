import { Test, type TestingModule } from '@nestjs/testing';
import { Key, RedisConnections, RedisModule, type RedisConnection } from '@roost/redis';
import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { limitKey } from '../stores/rate-limit.keys.js';
import type { LimitRequest, RateLimitStore, StoreVerdict } from '../stores/rate-limit.store.js';
import { RedisRateLimitStore } from '../stores/redis-rate-limit.store.js';
import { redisStoreWithClock } from '../testing.js';
import { RefusingRateLimitStore } from './refusing-rate-limit.store.js';
import { RejectCache } from './reject-cache.js';

let server: RedisServer;
const apps: TestingModule[] = [];
let here: RedisConnection;
let there: RedisConnection;

beforeAll(async () => {
  server = await RedisServer.start();
  [here, there] = [await connect(server.url), await connect(server.url)];
});

afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()));
  await server?.stop();
});

async function connect(url: string): Promise<RedisConnection> {
  const redis = RedisModule.forRoot({ url, backend: 'redis', commandTimeoutMs: 2_000 });
  const app = await (await Test.createTestingModule({ imports: [redis] }).compile()).init();
  apps.push(app);
  return app.get(RedisConnections).get();
}

const SOON = { within: 2_000, every: 5 };
let subject = 0;
const request = (overrides: Partial<LimitRequest> = {}, policy = 'refused'): LimitRequest => ({
  key: limitKey('gcra', policy, `subject-${subject}`),
  algorithm: 'gcra',
  limit: 1,
  windowUs: 3_600_000_000,
  cost: 1,
  ...overrides,
});

const opened: RefusingRateLimitStore[] = [];
async function refusing(connection = here, cache = new RejectCache({ maxEntries: 100 }), inner?: RateLimitStore) {
  const store = new RefusingRateLimitStore(
    inner ?? new RedisRateLimitStore(connection.backend.commands),
    cache,
    connection.pubsub,
  );
  opened.push(store);
  await listens(store, cache);
  return store;
}

/** It begins to listen at its first refusal, and remembers from then on. */
async function listens(store: RateLimitStore, cache: RejectCache): Promise<void> {
  const probe = request({ limit: 1 }, `probe-${Math.random()}`);
  await eventually(async () => {
    await store.decide([probe], 'consume');
    expect(cache.size).toBeGreaterThan(0);
  }, SOON);
  cache.forgetAll();
}

const calls = async () => (await server.commandStats()).evalsha?.calls ?? 0;
const consume = (store: RateLimitStore, ...limits: LimitRequest[]) => store.decide(limits, 'consume');

beforeEach(() => void subject++);
afterEach(() => {
  for (const store of opened.splice(0)) store.close();
});

describe('RefusingRateLimitStore', () => {
  it('52: refuses a known subject without a call, as Redis would', async () => {
    const store = await refusing();
    await consume(store, request());
    const refused = await consume(store, request());
    const before = await calls();
    for (let i = 0; i < 10_000; i++) {
      const { allowed, limits } = await consume(store, request());
      expect([allowed, limits.length, limits[0]!.remaining, limits[0]!.allowed]).toEqual([false, 1, 0, false]);
    }
    expect(await calls()).toBe(before);
    const again = await consume(store, request());
    expect(again.limits[0]!.retryAfterMs).toBeLessThanOrEqual(refused.limits[0]!.retryAfterMs!);
    expect(again.limits[0]!.retryAfterMs).toBeGreaterThan(refused.limits[0]!.retryAfterMs! - 10_000);
    expect(Object.keys(again.limits[0]!).sort()).toEqual(Object.keys(refused.limits[0]!).sort());
  });

  it('52: after a reset in another process the next request but one hop is admitted', async () => {
    const [store, other] = [await refusing(here), await refusing(there)];
    await consume(store, request());
    await consume(store, request());
    expect((await consume(store, request())).allowed).toBe(false);
    await other.reset([request().key]);
    await eventually(async () => expect((await consume(store, request())).allowed).toBe(true), { within: 500 });
  });

  it('52: who resets is never behind itself', async () => {
    const store = await refusing();
    for (let i = 0; i < 20; i++) {
      await consume(store, request());
      expect((await consume(store, request())).allowed).toBe(false);
      await store.reset([request().key]);
      expect((await consume(store, request())).allowed).toBe(true);
      await store.reset([request().key]);
    }
  });

  it('looks and never answers a peek', async () => {
    const store = await refusing();
    await consume(store, request());
    await consume(store, request());
    const before = await calls();
    await store.decide([request()], 'peek');
    expect(await calls()).toBe(before + 1);
  });

  it('asks for another cost, and for another quota', async () => {
    const store = await refusing();
    const ten = (cost: number, limit = 10) => consume(store, request({ limit, cost }));
    await ten(8);
    expect((await ten(5)).allowed).toBe(false);
    const before = await calls();
    expect((await ten(5)).allowed).toBe(false);
    expect(await calls()).toBe(before);
    expect((await ten(1)).allowed).toBe(true);
    await ten(5, 20);
    expect(await calls()).toBe(before + 2);
  });

  it('tells a dearer request how long that one has to wait', async () => {
    const store = await refusing();
    const costing = async (cost: number) => (await consume(store, request({ limit: 10, cost }))).limits[0]!;
    await costing(10);
    const minute = 60_000;
    expect((await costing(1)).retryAfterMs).toBeGreaterThan(5 * minute);
    expect((await costing(5)).retryAfterMs).toBeGreaterThan(29 * minute);
    expect((await costing(11)).retryAfterMs).toBeNull();
    await store.block([request().key], minute);
    expect((await costing(1)).retryAfterMs).toBeLessThanOrEqual(minute);
    expect(await costing(5)).toMatchObject({ blocked: true, retryAfterMs: expect.any(Number) });
    expect(await costing(11)).toMatchObject({ blocked: true, retryAfterMs: null });
  });

  it('says which of several limits object', async () => {
    const store = await refusing();
    const limits = [request({ limit: 50 }, 'wide'), request(), request({ limit: 60 }, 'wider')];
    await consume(store, ...limits);
    expect((await consume(store, ...limits)).only).toBeUndefined();
    const known = await consume(store, ...limits);
    expect(known).toMatchObject({ allowed: false, only: [1], limits: [{ allowed: false, remaining: 0 }] });
  });

  it('asks where each refusal has to be counted, until the subject is blocked', async () => {
    const block = { after: 2, forMs: 60_000, withinMs: 60_000, violations: limitKey('gcra', 'violations', 'x') };
    const inner = new Scripted(here);
    const store = await refusing(here, undefined, inner);
    inner.answer = refusal({ blocked: false });
    for (let i = 0; i < 3; i++) await consume(store, request({ block }));
    await consume(store, request());
    await consume(store, request({}, 'other'), request({ block }));
    expect(inner.asked).toBe(5);
    inner.answer = refusal({ blocked: true });
    for (let i = 0; i < 3; i++) await consume(store, request({ block }));
    expect(inner.asked).toBe(6);
    expect((await consume(store, request({ block }))).limits[0]!.blocked).toBe(true);
  });

  it.each([
    ['charges that may come back', { hold: { id: 'h', expiresMs: null } }],
    ['slots', { algorithm: 'concurrency' as const }],
  ])('asks about %s', async (_, overrides) => {
    const inner = new Scripted(here);
    const store = await refusing(here, undefined, inner);
    inner.answer = refusal({});
    for (let i = 0; i < 3; i++) await consume(store, request(overrides));
    expect(inner.asked).toBe(3);
  });

  it.each([
    ['reset', (store: RateLimitStore) => store.reset([request().key])],
    ['unblock', (store: RateLimitStore) => store.unblock([request().key])],
    ['block', (store: RateLimitStore) => store.block([request().key], 5)],
    ['reward', (store: RateLimitStore) => store.adjust([request({ cost: -1 })])],
    ['settle', (store: RateLimitStore) => store.settle([{ ...request({ cost: 0 }), holdId: 'h', held: 1 }])],
  ])('forgets after a %s, here and there', async (_, change) => {
    const inner = [new Scripted(here), new Scripted(there)] as const;
    const store = await refusing(here, undefined, inner[0]);
    const other = await refusing(there, undefined, inner[1]);
    for (const each of inner) each.answer = refusal({});
    for (const each of [store, store, other, other]) await consume(each, request());
    expect(inner.map(({ asked }) => asked)).toEqual([1, 1]);
    await change(store);
    await consume(store, request());
    expect(inner[0].asked).toBe(2);
    await eventually(
      async () => {
        await consume(other, request());
        expect(inner[1].asked).toBe(2);
      },
      { within: 500 },
    );
  });

  it('learns nothing where it may not listen', async () => {
    await server.command('ACL', 'SETUSER', 'deaf', 'on', 'nopass', '~*', '+@all', 'resetchannels');
    const deaf = await connect(server.url.replace('redis://', 'redis://deaf:x@'));
    const cache = new RejectCache({ maxEntries: 10 });
    const inner = new Scripted(deaf);
    inner.answer = refusal({});
    const store = new RefusingRateLimitStore(inner, cache, deaf.pubsub);
    opened.push(store);
    await consume(store, request());
    await sleep(50);
    for (let i = 0; i < 3; i++) await consume(store, request());
    expect([inner.asked, cache.size, store.listening]).toEqual([4, 0, false]);
  });

  it('does not learn what was under way when its key was forgotten', async () => {
    const inner = new Scripted(here);
    const store = await refusing(here, undefined, inner);
    inner.answer = refusal({});
    let goOn!: () => void;
    inner.wait = new Promise((resolve) => (goOn = resolve));
    const stale = consume(store, request());
    await store.reset([request().key]);
    goOn();
    expect((await stale).allowed).toBe(false);
    await consume(store, request());
    expect(inner.asked).toBe(2);
  });

  it('forgets all when messages may have been missed, and learns nothing until they come again', async () => {
    const proxy = await FaultProxy.start({ target: server });
    try {
      const connection = await connect(proxy.url);
      const cache = new RejectCache({ maxEntries: 100 });
      const direct = new RedisRateLimitStore(here.backend.commands);
      const store = await refusing(connection, cache, direct);
      await consume(store, request());
      await consume(store, request());
      expect(cache.size).toBe(1);
      await proxy.refuse();
      await eventually(() => expect(cache.size).toBe(0), SOON);
      await consume(store, request());
      expect(cache.size).toBe(0);
      await proxy.pass();
      await eventually(
        async () => {
          await consume(store, request());
          expect(cache.size).toBe(1);
        },
        { within: 8_000 },
      );
    } finally {
      await apps.pop()!.close();
      await proxy.stop();
    }
  });

  it('counts from when Redis was asked: whom Redis admits is admitted', async () => {
    expect(await admittedOnTime((cache) => cache)).toBe(true);
  });

  it('goes red when it counts from the answer', async () => {
    class Hasty extends RejectCache {
      override remember(limits: readonly LimitRequest[], verdict: StoreVerdict): void {
        super.remember(limits, verdict, nowMs);
      }
    }
    expect(await admittedOnTime(() => new Hasty({ maxEntries: 10, nowMs: () => nowMs }))).toBe(false);
  });

  it('goes red when a reset is not told', async () => {
    const mute = {
      publish: () => Promise.resolve('redis' as const),
      subscribe: here.pubsub.subscribe.bind(here.pubsub),
      onGap: here.pubsub.onGap.bind(here.pubsub),
    };
    const store = await refusing(there);
    const other = new RefusingRateLimitStore(
      new RedisRateLimitStore(here.backend.commands),
      new RejectCache({ maxEntries: 10 }),
      mute,
    );
    opened.push(other);
    await consume(store, request());
    await consume(store, request());
    await other.reset([request().key]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await consume(store, request())).allowed).toBe(false);
  });

  let nowMs = 0;
  /** Whether a request that Redis admits, right when the wait is over, is let through although the answer took long. */
  async function admittedOnTime(make: (cache: RejectCache) => RejectCache): Promise<boolean> {
    nowMs = 1_000;
    const clocked = redisStoreWithClock(here.backend.commands);
    const cache = make(new RejectCache({ maxEntries: 10, nowMs: () => nowMs }));
    const slow = new Slow(clocked.store, () => (nowMs += 40));
    const store = new RefusingRateLimitStore(slow, cache, here.pubsub, { nowMs: () => nowMs });
    opened.push(store);
    await clocked.setClock(1_800_000_000_000_000);
    await listens(store, cache);
    nowMs = 1_000;
    cache.forgetAll();
    nowMs = 1_001;
    const limit = request({ windowUs: 1_000_000 });
    await consume(store, limit);
    nowMs = 1_001;
    const refused = await consume(store, limit); // asked at 1 001, answered at 1 041
    expect(refused.limits[0]!.retryAfterMs).toBe(1_000);
    expect(cache.size).toBe(1);
    await clocked.setClock(1_800_000_001_000_000);
    nowMs = 2_001;
    return (await consume(store, limit)).allowed;
  }
});

describe('RejectCache', () => {
  const refused = (limits: LimitRequest[], cache: RejectCache, at: number, retryAfterMs = 60_000) =>
    cache.remember(limits, { allowed: false, limits: limits.map(() => refusal({ retryAfterMs }).limits[0]!) }, at);

  it('53: 300 000 refused subjects take no more room than its entries', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const cache = new RejectCache({ maxEntries: 10_000 });
    const heapAfter = (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        const limit = request({ key: new Key(`{rate}:rate:gcra:million:subject-${i}`, 'rate') });
        refused([limit], cache, performance.now());
      }
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = heapAfter(0, 20_000);
    expect(heapAfter(20_000, 320_000) - before).toBeLessThan(2_000_000);
    expect(cache.size).toBe(10_000);
  });

  it('forgets first whom it has not seen for longest', () => {
    const cache = new RejectCache({ maxEntries: 2, nowMs: () => 5 });
    const [a, b, c] = ['a', 'b', 'c'].map((name) => request({}, name)) as [LimitRequest, LimitRequest, LimitRequest];
    refused([a], cache, 5);
    refused([b], cache, 5);
    expect(cache.find([a])).toBeDefined();
    refused([c], cache, 5);
    expect([a, b, c].map((limit) => cache.find([limit]) !== undefined)).toEqual([true, false, true]);
  });

  it('tells a wait that is over when it says, and believes nothing for more than a minute', () => {
    let now = 0;
    const cache = new RejectCache({ maxEntries: 2, nowMs: () => now });
    now = 10;
    refused([request()], cache, 4, 100);
    now = 50;
    expect(cache.find([request()])!.limits[0]!.retryAfterMs).toBe(60);
    now = 102;
    expect(cache.find([request()])).toBeDefined();
    now = 103;
    expect(cache.find([request()])).toBeUndefined();
    refused([request()], cache, 103, 3_600_000);
    now = 103 + 59_999;
    expect(cache.find([request()])!.limits[0]!.retryAfterMs).toBe(3_600_000 - 59_999);
    now = 103 + 60_000;
    expect(cache.find([request()])).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it('believes a refusal of leased units for as long as a lease lasts', () => {
    let now = 0;
    const cache = new RejectCache({ maxEntries: 2, nowMs: () => now });
    refused([request({ lease: true })], cache, 1, 100);
    now = 20;
    expect(cache.find([request({ lease: true })])).toBeDefined();
    now = 21;
    expect(cache.find([request({ lease: true })])).toBeUndefined();
  });
});

function refusal({ blocked = false, retryAfterMs = 60_000 }): StoreVerdict {
  return { allowed: false, limits: [{ allowed: false, remaining: 0, retryAfterMs, resetAfterMs: 60_000, blocked }] };
}

/** Answers as it is told, and counts. Every change succeeds. */
class Scripted extends RedisRateLimitStore {
  asked = 0;
  answer: StoreVerdict | undefined;
  wait: Promise<void> | undefined;

  constructor({ backend }: RedisConnection) {
    super(backend.commands);
  }

  override async decide(...decision: Parameters<RateLimitStore['decide']>): Promise<StoreVerdict> {
    const { answer } = this;
    if (answer === undefined) return super.decide(...decision);
    this.asked++;
    await this.wait;
    return { allowed: false, limits: decision[0].map(() => answer.limits[0]!) };
  }

  override settle = () => Promise.resolve(1);
  override unblock = () => Promise.resolve(1);
  override block = () => Promise.resolve();
  override adjust = () => Promise.resolve([] as never);
}

/** Answers late. */
class Slow extends RedisRateLimitStore {
  constructor(
    private readonly store: RateLimitStore,
    private readonly pass: () => void,
  ) {
    super(here.backend.commands);
  }

  override async decide(...decision: Parameters<RateLimitStore['decide']>): Promise<StoreVerdict> {
    const verdict = await this.store.decide(...decision);
    this.pass();
    return verdict;
  }
}
