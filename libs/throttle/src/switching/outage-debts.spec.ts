import { RedisReplyError, RedisTimeoutError, RedisUnavailableError } from '@roost/redis';
import { MemoryRateLimitStore } from '../stores/memory-rate-limit.store.js';
import { limitKey } from '../stores/rate-limit.keys.js';
import type { AlgorithmName } from '../algorithms/algorithm.js';
import type { LimitRequest } from '../stores/rate-limit.store.js';
import { OutageDebts } from './outage-debts.js';

const HOUR_US = 3_600_000_000;
const START_US = 1_700_000_000_000_000;

/** Redis, by a store of its own, that fails in the two ways in which a call can: before it was charged, or after. */
class FakeRedis extends MemoryRateLimitStore {
  failure: { readonly error: Error; readonly charged: boolean } | undefined;
  /** The subject under whose key stands something that is not ours. */
  foreign: string | undefined;
  readonly calls: number[] = [];
  inFlight = 0;
  mostInFlight = 0;

  override async adjust(limits: readonly LimitRequest[]) {
    this.calls.push(limits.length);
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    const among = this.foreign !== undefined && limits.some(({ key }) => key.name.endsWith(`:${this.foreign}`));
    const failure = among ? { error: new RedisReplyError('ROOST foreign value'), charged: false } : this.failure;
    const verdicts = failure?.charged === false ? [] : await super.adjust(limits);
    this.inFlight--;
    if (failure) throw failure.error;
    return verdicts;
  }
}

function setUp({ share = 5, maxEntries = 1_000 } = {}) {
  const clock = { redisUs: START_US, hereUs: START_US };
  const redis = new FakeRedis({ nowUs: () => clock.redisUs });
  const insurance = new MemoryRateLimitStore({ nowUs: () => clock.hereUs });
  const settled: [outcome: string, requests: number][] = [];
  const bugs: unknown[] = [];
  const debts = new OutageDebts(redis, insurance, {
    maxEntries,
    redisNowUs: () => Promise.resolve(clock.redisUs),
    nowUs: () => clock.hereUs,
    onSettled: (outcome, requests) => settled.push([outcome, requests]),
    onBug: (error) => bugs.push(error),
  });
  const request = (subject: string, algorithm: AlgorithmName, limit: number): LimitRequest => ({
    key: limitKey(algorithm, 'x', subject),
    algorithm,
    limit,
    windowUs: HOUR_US,
    cost: 1,
  });
  /** Grants in an outage, as the switch does. */
  const grant = async (
    requests: number,
    { subject = 'u', algorithm = 'gcra' as AlgorithmName, unsure = false } = {},
  ) => {
    for (let i = 0; i < requests; i++) {
      const local = request(subject, algorithm, share);
      const { allowed } = await insurance.decide([local], 'consume');
      if (allowed) debts.note(local, { limit: 10, windowUs: HOUR_US }, unsure);
    }
  };
  const left = async (store: MemoryRateLimitStore, { subject = 'u', algorithm = 'gcra' as AlgorithmName } = {}) =>
    (await store.decide([request(subject, algorithm, store === redis ? 10 : share)], 'peek')).limits[0]!.remaining;
  const pass = (ms: number) => {
    clock.redisUs += ms * 1_000;
    clock.hereUs += ms * 1_000;
  };
  return { redis, insurance, debts, settled, bugs, clock, grant, left, pass };
}

describe('OutageDebts', () => {
  it.each(['gcra', 'fixed-window', 'sliding-window', 'sliding-log'] as const)(
    '%s: what was granted alone is charged in Redis, once',
    async (algorithm) => {
      const { redis, insurance, debts, settled, grant, left } = setUp();
      await grant(3, { algorithm });
      await debts.merge();
      await debts.merge();
      expect(await left(redis, { algorithm })).toBe(7);
      expect(await left(insurance, { algorithm })).toBe(2);
      expect([settled, debts.size]).toEqual([[['merged', 3]], 0]);
    },
  );

  it('adds to what Redis had, and never beyond one more limit', async () => {
    const { redis, debts, grant, left, pass } = setUp({ share: 30 });
    const full = { key: limitKey('gcra', 'x', 'u'), algorithm: 'gcra' as const, limit: 10, windowUs: HOUR_US, cost: 8 };
    await redis.decide([full], 'consume');
    await grant(30);
    await debts.merge();
    expect(await left(redis)).toBe(0);
    pass(2 * 3_600_000);
    expect(await left(redis)).toBe(10);
  });

  it.each(['gcra', 'fixed-window', 'sliding-window', 'sliding-log'] as const)(
    '%s: a Redis that comes and goes grants one share in a window, and is told of each request once',
    async (algorithm) => {
      const { redis, debts, settled, grant, left, pass } = setUp();
      for (let i = 0; i < 4; i++) {
        await grant(2, { algorithm });
        await debts.merge();
      }
      expect([await left(redis, { algorithm }), settled]).toEqual([5, [2, 2, 1].map((each) => ['merged', each])]);
      pass(2 * 3_600_000);
      await grant(7, { algorithm });
      await debts.merge();
      expect([await left(redis, { algorithm }), settled.at(-1)]).toEqual([5, ['merged', 5]]);
    },
  );

  it('leaves blocks, which go on in the next outage', async () => {
    const { insurance, debts, grant } = setUp();
    await grant(2);
    await insurance.block([limitKey('gcra', 'x', 'u')], 600_000);
    await debts.merge();
    await grant(1);
    expect(debts.size).toBe(0);
  });

  it('counts a part of a request as one, and nothing that has drained meanwhile', async () => {
    const { redis, debts, settled, grant, left, pass } = setUp();
    await grant(2);
    pass(13 * 60_000); // of 12 minutes for each: one is gone, the other nearly new
    await debts.merge();
    expect([await left(redis), settled]).toEqual([9, [['merged', 1]]]);
    await grant(1);
    pass(3_600_000);
    await debts.merge();
    expect([await left(redis), debts.size]).toEqual([10, 0]);
  });

  describe('of a window that is over', () => {
    it('by this clock, nothing is charged', async () => {
      const { redis, debts, settled, grant, left, pass } = setUp();
      await grant(3, { algorithm: 'fixed-window' });
      pass(3_600_000);
      await debts.merge();
      expect([await left(redis, { algorithm: 'fixed-window' }), settled]).toEqual([10, []]);
    });

    it.each([3_600_000, -3_600_000])('50: by the clock of Redis (%d ms ahead), nothing is charged', async (aheadMs) => {
      const { redis, debts, clock, grant, left } = setUp();
      clock.redisUs += aheadMs * 1_000;
      await grant(3, { algorithm: 'fixed-window' });
      await grant(3, { algorithm: 'gcra' });
      await debts.merge();
      expect(await left(redis, { algorithm: 'fixed-window' })).toBe(10);
      expect(await left(redis, { algorithm: 'gcra' })).toBe(7); // has no windows: what counts is how long ago it was
    });
  });

  it('leaves out what Redis may have charged itself', async () => {
    const { redis, debts, settled, grant, left } = setUp();
    await grant(2, { unsure: true });
    await grant(1);
    await debts.merge();
    expect([await left(redis), settled]).toEqual([9, [['merged', 1]]]);
  });

  it('never sends twice what may have been charged', async () => {
    const { redis, debts, settled, grant, left } = setUp();
    await grant(3);
    redis.failure = { error: new RedisTimeoutError('rate.adjust', 250), charged: true };
    await debts.merge();
    redis.failure = undefined;
    await debts.merge();
    expect([await left(redis), redis.calls, settled]).toEqual([7, [1], [['unknown', 3]]]);
  });

  it('keeps what was certainly not charged, and goes on counting it here', async () => {
    const { redis, insurance, debts, settled, bugs, grant, left } = setUp();
    await grant(3);
    redis.failure = { error: new RedisUnavailableError('unreachable', 'not sent', false), charged: false };
    await debts.merge();
    expect([debts.size, await left(insurance), settled]).toEqual([1, 2, []]);
    await grant(1);
    redis.failure = undefined;
    await debts.merge();
    expect([await left(redis), settled, bugs]).toEqual([6, [['merged', 4]], []]);
  });

  it('tells of a bug, and charges the others', async () => {
    const { redis, debts, settled, bugs, grant, left } = setUp();
    for (let i = 0; i < 150; i++) await grant(1, { subject: `s${i}` });
    redis.foreign = 's7';
    await debts.merge();
    const outcomes = (of: string) => settled.filter(([outcome]) => outcome === of).reduce((sum, [, n]) => sum + n, 0);
    expect([outcomes('merged'), outcomes('refused'), bugs.length, debts.size]).toEqual([149, 1, 1, 0]);
    expect([await left(redis, { subject: 's7' }), await left(redis, { subject: 's8' })]).toEqual([10, 9]);
  });

  it('is merged by 100 at a time, one call after the other, also when asked twice', async () => {
    const { redis, debts, grant } = setUp();
    for (let i = 0; i < 250; i++) await grant(1, { subject: `s${i}` });
    await Promise.all([debts.merge(), debts.merge()]);
    expect([redis.calls, redis.mostInFlight]).toEqual([[100, 100, 50], 1]);
  });

  it('T24: is bounded: the oldest is given up', async () => {
    const { redis, debts, grant, left } = setUp({ maxEntries: 10 });
    for (let i = 0; i < 25; i++) await grant(1, { subject: `s${i}` });
    expect(debts.size).toBe(10);
    await debts.merge();
    expect([await left(redis, { subject: 's14' }), await left(redis, { subject: 's15' })]).toEqual([10, 9]);
  });

  it('is nothing for slots, and for what took nothing', () => {
    const { debts } = setUp();
    const local = { key: limitKey('gcra', 'x', 'u'), algorithm: 'gcra' as const, limit: 5, windowUs: HOUR_US, cost: 0 };
    debts.note(local, { limit: 10, windowUs: HOUR_US }, false);
    debts.note({ ...local, algorithm: 'concurrency', cost: 1 }, { limit: 10, windowUs: HOUR_US }, false);
    expect(debts.size).toBe(0);
  });
});
