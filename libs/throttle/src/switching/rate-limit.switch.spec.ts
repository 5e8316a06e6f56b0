import { RedisReplyError, RedisTimeoutError, shareOf, type Backend, type BackendName } from '@roost/redis';
import type { Limit } from '../policies/limit.js';
import { MemoryRateLimitStore } from '../stores/memory-rate-limit.store.js';
import { LimitKeys, subjectDigest } from '../stores/rate-limit.keys.js';
import type { DecideMode, LimitRequest } from '../stores/rate-limit.store.js';
import { RateLimitSwitch, type Charge, type SwitchOptions } from './rate-limit.switch.js';

/** A memory store in the place of Redis, that can fail and remembers what it was asked. */
class FakeRedis extends MemoryRateLimitStore {
  failure: Error | undefined;
  readonly asked: { mode: DecideMode; limits: number }[] = [];

  override decideNow() {
    return undefined;
  }

  override decide(limits: readonly LimitRequest[], mode: DecideMode) {
    this.asked.push({ mode, limits: limits.length });
    return this.failure ? Promise.reject(this.failure) : super.decide(limits, mode);
  }
}

function setUp(options: Partial<SwitchOptions> = {}) {
  const redis = new FakeRedis();
  const memory = new MemoryRateLimitStore();
  const backend = {
    chosen: 'redis' as BackendName,
    reason: null as string | null,
    get current() {
      return this.chosen;
    },
    choose(this: { chosen: BackendName }, _direction: string, _subject?: string) {
      return this.chosen;
    },
  };
  const bugs: unknown[] = [];
  const switched = new RateLimitSwitch(
    backend as unknown as Backend,
    redis,
    memory,
    { mode: undefined, replicas: 1, canaryPercent: 100, ...options },
    (error) => bugs.push(error),
  );
  const lose = (reason = 'unreachable') => Object.assign(backend, { chosen: 'memory', reason });
  return { redis, memory, backend, bugs, switched, lose };
}

const charge = (overrides: Partial<Limit> & { most?: number; subject?: string; cost?: number } = {}): Charge => {
  const { most = 10, subject = subjectDigest('user', 'u'), cost = 1, ...limit } = overrides;
  const quota = { limit: most, windowUs: 60_000_000 };
  const keys = new LimitKeys('gcra', limit.name ?? 'x');
  return {
    limit: {
      name: 'x',
      part: '0',
      quota,
      algorithm: 'gcra',
      key: 'user',
      cost: 1,
      count: 'all',
      block: undefined,
      outage: 'local',
      keys,
      ...limit,
    },
    quota,
    subject,
    cost,
  };
};

async function admitted(switched: RateLimitSwitch, requests: number, ...charges: Charge[]): Promise<number> {
  let allowed = 0;
  for (let i = 0; i < requests; i++) {
    const rulings = await switched.decide(charges, 'consume');
    if (rulings.every(({ verdict }) => verdict.allowed)) allowed++;
  }
  return allowed;
}

describe('RateLimitSwitch', () => {
  it('lets Redis decide while it serves', async () => {
    const { switched, redis, memory } = setUp();
    expect(await admitted(switched, 12, charge())).toBe(10);
    expect([redis.size, memory.size]).toEqual([1, 0]);
  });

  it('49: what Redis refuses is refused, and nobody else is asked', async () => {
    const { switched, memory } = setUp({ replicas: 1 });
    const rulings = await switched.decide([charge({ most: 0 }), charge({ name: 'y' })], 'consume');
    expect(rulings[0]!.verdict.allowed).toBe(false);
    expect(memory.size).toBe(0);
  });

  it.each([
    ['local', 1, 10],
    ['local', 2, 5],
    ['local', 3, 4],
    ['open', 2, 12],
    ['closed', 2, 0],
  ] as const)('47: while Redis is lost, %s with %d replicas lets %d of 12 pass', async (outage, replicas, passes) => {
    const { switched, redis, lose } = setUp({ replicas });
    lose();
    expect(await admitted(switched, 12, charge({ outage }))).toBe(passes);
    expect(redis.asked).toEqual([]);
  });

  it('47: a call that fails is answered by the outage policy at once', async () => {
    const { switched, redis, bugs } = setUp({ replicas: 2 });
    redis.failure = new RedisTimeoutError('rate.consume', 250);
    expect(await admitted(switched, 12, charge())).toBe(5);
    expect(await admitted(switched, 1, charge({ outage: 'closed' }))).toBe(0);
    expect(await admitted(switched, 1, charge({ outage: 'open' }))).toBe(1);
    expect(bugs).toEqual([]);
  });

  it('57: a bug is told and then treated as an outage', async () => {
    const { switched, redis, bugs } = setUp();
    redis.failure = new RedisReplyError('WRONGTYPE');
    expect(await admitted(switched, 1, charge())).toBe(1);
    expect(bugs).toEqual([redis.failure]);
  });

  it('one closed limit refuses, and nothing is charged', async () => {
    const { switched, memory, lose } = setUp();
    lose();
    const rulings = await switched.decide([charge(), charge({ name: 'y', outage: 'closed' })], 'consume');
    expect(rulings.map(({ charge: { limit }, place }) => [limit.name, place])).toEqual([['y', 'closed']]);
    expect(memory.size).toBe(0);
  });

  it.each(['not_configured', 'configured', 'forced'])('memory by choice (%s) is no outage', async (reason) => {
    const { switched, lose } = setUp();
    lose(reason);
    expect(await admitted(switched, 12, charge({ outage: 'closed' }))).toBe(10);
    expect(switched.degraded).toBe(false);
  });

  it('with mode memory, Redis is never asked', async () => {
    const { switched, redis } = setUp({ mode: 'memory', replicas: 2 });
    expect(await admitted(switched, 12, charge({ outage: 'closed' }))).toBe(5);
    expect(redis.asked).toEqual([]);
    expect(switched.current).toBe('memory');
  });

  it('a limit of 0 refuses without asking anybody', async () => {
    const { switched, redis, lose } = setUp();
    expect(await admitted(switched, 2, charge({ most: 0 }))).toBe(0);
    lose();
    expect(await admitted(switched, 2, charge({ most: 0, outage: 'open' }))).toBe(0);
    expect(redis.asked).toEqual([]);
  });

  describe('canary', () => {
    const subjects = Array.from({ length: 10_000 }, (_, i) => subjectDigest('user', String(i)));

    it('82: sends its share of subjects to Redis, always the same ones', async () => {
      const { switched, redis } = setUp({ canaryPercent: 25 });
      for (const subject of subjects) await switched.decide([charge({ subject })], 'consume');
      expect(Math.abs(redis.asked.length - 2_500)).toBeLessThan(130);
      const first = redis.asked.length;
      for (const subject of subjects) await switched.decide([charge({ subject })], 'consume');
      expect(redis.asked.length).toBe(2 * first);
    });

    const on = (side: BackendName) =>
      subjects.find((subject) => shareOf(subject) < 50 === (side === 'redis')) ?? 'none';

    it('keeps all or nothing when the subjects of one request are on different sides', async () => {
      const { switched, redis, memory } = setUp({ canaryPercent: 50 });
      const here = (most: number) => charge({ name: 'here', most, subject: on('memory') });
      const there = (most: number) => charge({ name: 'there', most, subject: on('redis') });
      expect(await admitted(switched, 5, here(3), there(10))).toBe(3);
      const left = await switched.decide([here(3), there(10)], 'peek');
      expect(left.map(({ verdict }) => verdict.remaining)).toEqual([0, 7]);
      expect(left.map(({ place }) => place)).toEqual(['memory', 'redis']);
      expect([redis.size, memory.size]).toEqual([1, 1]);
    });

    it('charges nothing here when Redis refuses', async () => {
      const { switched } = setUp({ canaryPercent: 50 });
      const here = charge({ name: 'here', most: 10, subject: on('memory') });
      const there = charge({ name: 'there', most: 2, subject: on('redis') });
      expect(await admitted(switched, 5, here, there)).toBe(2);
      expect((await switched.decide([here], 'peek'))[0]!.verdict.remaining).toBe(8);
    });

    it('100 asks Redis about all, 0 about none', async () => {
      const all = setUp({ canaryPercent: 100 });
      const none = setUp({ canaryPercent: 0 });
      for (const subject of subjects.slice(0, 100)) {
        await all.switched.decide([charge({ subject })], 'consume');
        await none.switched.decide([charge({ subject })], 'consume');
      }
      expect([all.redis.asked.length, none.redis.asked.length]).toEqual([100, 0]);
    });
  });

  it('is degraded exactly while Redis ought to serve and does not', () => {
    const { switched, lose, backend } = setUp();
    expect(switched.degraded).toBe(false);
    lose();
    expect(switched.degraded).toBe(true);
    Object.assign(backend, { chosen: 'redis', reason: null });
    expect(switched.degraded).toBe(false);
  });
});
