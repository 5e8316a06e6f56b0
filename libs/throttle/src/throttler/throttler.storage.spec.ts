import { ConsoleLogger, type DynamicModule } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { ThrottlerModule } from '@nestjs/throttler';
import {
  HealthRegistry,
  InvalidOptionsError,
  Metrics,
  RedisModule,
  RedisReplyError,
  RedisRequiredError,
  RedisTimeoutError,
  type Backend,
  type BackendName,
} from '@roost/redis';
import { eventually } from '@roost/testing';
import { AsyncLocalStorage } from 'node:async_hooks';
import { HitLog, type HitLimit, type HitVerdict } from './hit-log.js';
import { Hits } from './hits.js';
import { KnownRefusals } from './known-refusals.js';
import { MemoryHitLog } from './memory-hit-log.js';
import { hitsKeyOf } from './throttler.keys.js';
import { ThrottlerMetrics } from './throttler.metrics.js';
import type { RoostThrottlerOptions } from './throttler.options.js';
import { RoostThrottlerStorage } from './throttler.storage.js';
import { ThrottlerSwitch, type ThrottlerSwitchOptions } from './throttler.switch.js';
import { RoostThrottlerModule } from '../throttler.js';

/** A log in the place of Redis, that can fail and counts what it was asked. */
class FakeRedis extends HitLog {
  failure: Error | undefined;
  asked = 0;

  constructor(readonly log: MemoryHitLog) {
    super();
  }

  decide(limits: readonly HitLimit[]): Promise<readonly HitVerdict[]> {
    this.asked++;
    return this.failure ? Promise.reject(this.failure) : this.log.decide(limits);
  }
}

function setUp(options: Partial<ThrottlerSwitchOptions> & { cached?: number } = {}) {
  const { cached = 100, ...rest } = options;
  const clock = { ms: 1_800_000_000_000 };
  const now = () => clock.ms;
  const redis = new FakeRedis(new MemoryHitLog({ maxEntries: 1_000_000, now }));
  const memory = new MemoryHitLog({ maxEntries: 1_000, now });
  const refusals = new KnownRefusals(cached, now);
  const backend = {
    chosen: 'redis' as BackendName,
    reason: null as string | null,
    get current() {
      return this.chosen;
    },
    choose(): BackendName {
      return this.chosen;
    },
  };
  const bugs: unknown[] = [];
  const switched = new ThrottlerSwitch(
    backend as unknown as Backend,
    redis,
    memory,
    refusals,
    { backend: undefined, outage: 'local', replicas: 1, ...rest },
    (error) => bugs.push(error),
  );
  const metrics = new Metrics();
  const storage = new RoostThrottlerStorage(switched, new ThrottlerMetrics(metrics));
  const lose = (reason = 'unreachable') => Object.assign(backend, { chosen: 'memory', reason });
  const hit = (key = 'k', limit = 2, ttl = 10_000, blockDuration = 20_000) =>
    storage.increment(key, ttl, limit, blockDuration, 'default');
  return { clock, redis, memory, refusals, backend, bugs, switched, storage, metrics, lose, hit };
}

async function counted(metrics: Metrics): Promise<Record<string, number>> {
  const { values } = (await metrics.registry.getSingleMetric('roost_throttler_decisions_total')!.get()) as {
    values: { value: number; labels: Record<string, string> }[];
  };
  return Object.fromEntries(values.map(({ labels, value }) => [`${labels['state']} ${labels['source']}`, value]));
}

describe('RoostThrottlerStorage', () => {
  it('52: answers for who is blocked without Redis, to the second and until the block ends', async () => {
    const { hit, clock, redis, metrics } = setUp();
    const { hit: uncached, clock: itsClock } = setUp({ cached: 0 });
    const told = [];
    const expected = [];
    for (let i = 0; i < 40; i++) {
      told.push(await hit());
      expected.push(await uncached());
      clock.ms += 777;
      itsClock.ms += 777;
    }
    expect(told).toEqual(expected);
    expect(told.filter(({ isBlocked }) => isBlocked).length).toBeGreaterThan(30);
    expect(redis.asked).toBeLessThan(20); // again at the end of a block, a hit and of what timeToExpire tells
    expect(await counted(metrics)).toMatchObject({ 'throttle cache': expect.any(Number), 'allow redis': 4 });
  });

  it('52: ten thousand requests of who is blocked are no call', async () => {
    const { hit, redis } = setUp();
    for (let i = 0; i < 10_000; i++) await hit();
    expect(redis.asked).toBe(3);
  });

  it('52: knows refusals without a block, too, unless the limit is another one', async () => {
    const { hit, redis } = setUp();
    for (let i = 0; i < 10; i++) await hit('k', 2, 10_000, 0);
    expect(redis.asked).toBe(3);
    expect(await hit('k', 5, 10_000, 0)).toMatchObject({ isBlocked: false, totalHits: 3 });
  });

  it('52: knows the refusal of several throttlers only for the same several', async () => {
    const { storage, redis } = setUp();
    const [a, b] = ['a', 'b'].map((throttlerName, i) => ({
      key: 'k',
      ttl: 1_000,
      limit: 2 - i,
      blockDuration: 1_000,
      throttlerName,
    }));
    for (let i = 0; i < 5; i++) await storage.decideMany([a!, b!]);
    expect(redis.asked).toBe(2);
    expect(await storage.decideMany([a!])).toMatchObject([{ isBlocked: false, totalHits: 2 }]);
    expect(redis.asked).toBe(3);
  });

  it('53: remembers as many refused keys as it may', async () => {
    const { hit, refusals } = setUp({ cached: 1_000 });
    for (let i = 0; i < 20_000; i++) await hit(`key-${i}`, 0);
    expect(refusals.size).toBe(1_000);
  });

  it('tells who comes exactly when told that the block is over', async () => {
    const { hit, clock } = setUp();
    for (let i = 0; i < 3; i++) await hit();
    clock.ms += 1; // a moment later, and the answer comes from here
    const { timeToBlockExpire } = await hit();
    clock.ms += timeToBlockExpire * 1_000;
    expect(await hit()).toMatchObject({ isBlocked: false, totalHits: 1 });
  });

  it.each([
    ['local', [false, false, true]],
    ['open', [false, false, false]],
    ['closed', [true, true, true]],
  ] as const)('47: without Redis the outage policy %s decides', async (outage, expected) => {
    for (const failure of [undefined, new RedisTimeoutError('x', 1), new RedisReplyError('WRONGTYPE')]) {
      const { hit, lose, redis, bugs, switched } = setUp({ outage });
      if (failure) redis.failure = failure;
      else lose();
      const answers = [await hit(), await hit(), await hit()];
      expect(answers.map(({ isBlocked }) => isBlocked)).toEqual(expected);
      expect(answers[2]!.timeToBlockExpire).toBe(outage === 'local' ? 20 : outage === 'closed' ? 1 : 0);
      expect(bugs.length > 0).toBe(failure instanceof RedisReplyError);
      expect(switched.degraded).toBe(failure === undefined);
    }
  });

  it('47: applies no outage policy where memory serves by choice', async () => {
    for (const reason of ['forced', 'configured', 'not_configured']) {
      const { hit, lose, switched } = setUp({ outage: 'closed' });
      lose(reason);
      expect([(await hit()).isBlocked, switched.degraded]).toEqual([false, false]);
    }
    const { hit, redis, switched } = setUp({ backend: 'memory' });
    expect([(await hit()).isBlocked, redis.asked, switched.current]).toEqual([false, 0, 'memory']);
  });

  it('takes its share of a limit when it decides alone, and tells what remains of that', async () => {
    const { hit, lose } = setUp({ replicas: 3 });
    lose();
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push(await hit('k', 6));
    expect(answers.map(({ totalHits, isBlocked }) => [6 - totalHits, isBlocked])).toEqual([
      [1, false],
      [0, false],
      [-1, true],
    ]);
  });

  it('43: counts a call once for each throttler and key', async () => {
    const { storage } = setUp();
    const of = (key: string, throttlerName: string) => ({ key, ttl: 1_000, limit: 5, blockDuration: 0, throttlerName });
    const call = {};
    await storage.decideMany([of('k', 'a')], call);
    const again = await storage.decideMany([of('k', 'a'), of('k', 'b'), of('other', 'a')], call);
    expect(again.map((record) => record?.totalHits)).toEqual([undefined, 1, 1]);
    expect((await storage.decideMany([of('k', 'a')], {}))[0]!.totalHits).toBe(2);
  });

  it('counts throttlers of one name one after the other, as the reference does', async () => {
    const { storage } = setUp();
    const twin = { key: 'k', ttl: 1_000, limit: 5, blockDuration: 0, throttlerName: 'default' };
    const records = await storage.decideMany([twin, { ...twin, limit: 3 }]);
    expect(records.map((record) => record!.totalHits)).toEqual([1, 2]);
  });
});

describe('MemoryHitLog', () => {
  const limit = (name: string, ttlMs = 1_000): HitLimit => ({
    key: hitsKeyOf('default', name),
    ttlMs,
    limit: 1,
    blockMs: 1_000,
  });

  it('54: forgets what has expired, and by one timer that lets the process end', async () => {
    jest.useFakeTimers({ doNotFake: ['performance'] });
    let now = 0;
    const log = new MemoryHitLog({ maxEntries: 1_000_000, now: () => now, sweepMs: 1_000 });
    try {
      for (let i = 0; i < 100_000; i++) await log.decide([limit(`k${i}`)]);
      expect([log.size, jest.getTimerCount()]).toEqual([100_000, 1]);
      now = 1_000;
      jest.advanceTimersByTime(1_000);
      expect([log.size, log.evicted]).toEqual([0, 0]);
    } finally {
      log.close();
      jest.useRealTimers();
    }
  });

  it('55: sweeps outside of the request in which it was made', async () => {
    const requests = new AsyncLocalStorage<object>();
    const seen: unknown[] = [];
    const log = requests.run({}, () => {
      const now = () => seen.push(requests.getStore());
      return new MemoryHitLog({ maxEntries: 10, now, sweepMs: 1 });
    });
    await eventually(() => seen.length > 1, { within: 2_000 });
    expect(seen).toEqual(seen.map(() => undefined));
    log.close();
  });

  it('forgets whom it has not seen for longest when it is full, and whom it refuses is seen', async () => {
    const evictions: number[] = [];
    let now = 0;
    const log = new MemoryHitLog({ maxEntries: 2, now: () => now, onEvict: () => evictions.push(1) });
    for (const name of ['a', 'a', 'b', 'a', 'c', 'a', 'd']) await log.decide([limit(name)]);
    expect([log.size, log.evicted, evictions.length]).toEqual([2, 2, 2]);
    expect(await log.decide([limit('a')])).toMatchObject([{ refused: true }]);
    now = 5_000; // who has expired anyhow is not missed
    await log.decide([limit('e')]);
    expect(log.evicted).toBe(2);
    log.close();
  });

  it('takes as long for a hit among many as for a hit among few', () => {
    const timeOf = (held: number) => {
      const hits = new Hits();
      for (let i = 0; i < held; i++) hits.add(i);
      const startedAt = performance.now();
      for (let i = 0; i < 20_000; i++) {
        hits.expire(i);
        hits.add(held + i);
      }
      expect(hits.count).toBe(held);
      return performance.now() - startedAt;
    };
    timeOf(10);
    expect(timeOf(100_000)).toBeLessThan(Math.max(20 * timeOf(10), 100)); // a filter over all of them takes seconds
  });
});

describe('RoostThrottlerModule', () => {
  const silent = new ConsoleLogger({ logLevels: ['fatal'] });
  let app: TestingModule | undefined;
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  async function boot(options: RoostThrottlerOptions | undefined, redis: object = {}, ...imports: DynamicModule[]) {
    const modules = [RedisModule.forRoot(redis), RoostThrottlerModule.forRoot(options), ...imports];
    app = await Test.createTestingModule({ imports: modules }).setLogger(silent).compile();
    await app.init();
    return app;
  }

  it('fails the boot with every problem in one error', async () => {
    const wrong = {
      outage: 'shut',
      replicas: 0,
      memoryMaxEntries: 1.5,
      rejectCacheEntries: -1,
      backend: 'disk',
      compatRetryAfter: 'none',
      preset: 'new',
      windows: 1,
      proxy: { hops: -1 },
    } as never;
    const error = await boot(wrong).catch((each: unknown) => each);
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect((error as InvalidOptionsError).problems).toHaveLength(9);
    expect((error as Error).message).toMatch(/Expected `replicas` to be a positive integer, got `0` \(number\)/);
  });

  it('fails the boot without Redis when its backend is redis', async () => {
    await expect(boot({ backend: 'redis' }, { url: 'redis://127.0.0.1:1', bootWaitMs: 50 })).rejects.toThrow(
      RedisRequiredError,
    );
  });

  it('is in memory without a Redis, tells its health, and takes its options from a factory', async () => {
    const throttler = ThrottlerModule.forRootAsync({
      inject: [RoostThrottlerStorage],
      useFactory: (storage: RoostThrottlerStorage) => ({ throttlers: [{ ttl: 1_000, limit: 1 }], storage }),
    });
    const { get } = { get: (await boot(undefined, {}, throttler)).get.bind(app!) };
    await get(RoostThrottlerStorage).increment('k', 1_000, 1, 1_000, 'default');
    expect(get(HealthRegistry).reports()['throttler']).toEqual({
      status: 'up',
      backend: 'memory',
      replicas: 1,
      memoryEntries: 1,
      memoryEvicted: 0,
      knownRefusals: 0,
    });
    await app!.close();
    app = await Test.createTestingModule({
      imports: [RedisModule.forRoot({}), RoostThrottlerModule.forRootAsync({ useFactory: () => ({ replicas: 4 }) })],
    }).compile();
    await app.init();
    expect(app.get(HealthRegistry).reports()['throttler']).toMatchObject({ replicas: 4 });
  });
});
