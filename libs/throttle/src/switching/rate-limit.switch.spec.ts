import {
  RedisReplyError,
  RedisTimeoutError,
  RedisUnavailableError,
  shareOf,
  type Backend,
  type BackendName,
} from '@roost/redis';
import type { Limit } from '../policies/limit.js';
import { MemoryRateLimitStore } from '../stores/memory-rate-limit.store.js';
import { LimitKeys, subjectDigest } from '../stores/rate-limit.keys.js';
import type { DecideMode, LimitRequest } from '../stores/rate-limit.store.js';
import { RateLimitControls } from '../rollout/rate-limit.controls.js';
import { RateLimitStaging } from '../rollout/rate-limit.staging.js';
import { RateLimitSwitch, type Charge, type Rulings, type SwitchSettings } from './rate-limit.switch.js';

/** A memory store in the place of Redis, that can fail and remembers what it was asked. */
class FakeRedis extends MemoryRateLimitStore {
  failure: Error | undefined;
  readonly asked: { mode: DecideMode; limits: number }[] = [];

  /** Like Redis, it has to be waited for. */
  override decideNow(): never {
    return undefined as never;
  }

  override decide(limits: readonly LimitRequest[], mode: DecideMode) {
    this.asked.push({ mode, limits: limits.length });
    return this.failure ? Promise.reject(this.failure) : super.decide(limits, mode);
  }
}

function setUp(settings: Partial<SwitchSettings> = {}) {
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
  const granted: { requests: number; unsure: boolean }[] = [];
  const wouldReject: string[] = [];
  const paused: string[] = [];
  const checked: number[] = [];
  const insurance = new MemoryRateLimitStore();
  const controls = new RateLimitControls(100);
  const switched = new RateLimitSwitch({
    backend: backend as unknown as Backend,
    stores: { redis, memory, insurance },
    settings: { mode: undefined, replicas: 1, canaryPercent: 100, ...settings },
    staging: new RateLimitStaging(controls, (limit) => paused.push(limit)),
    onGranted: ({ cost }, _quota, unsure) => granted.push({ requests: cost, unsure }),
    onChecked: (ms) => checked.push(ms),
    onWouldReject: (limit) => wouldReject.push(limit),
    onBug: (error) => bugs.push(error),
  });
  const lose = (reason = 'unreachable') => Object.assign(backend, { chosen: 'memory', reason });
  return { redis, memory, insurance, backend, bugs, switched, lose, controls, granted, wouldReject, paused, checked };
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
      per: 'request',
      count: 'all',
      block: undefined,
      outage: 'local',
      mode: 'enforce',
      keys,
      ...limit,
    },
    quota,
    subject,
    cost,
  };
};

const asTheyAre = (rulings: Rulings) => rulings;

async function admitted(switched: RateLimitSwitch, requests: number, ...charges: Charge[]): Promise<number> {
  let allowed = 0;
  for (let i = 0; i < requests; i++) {
    const rulings = await switched.decide(charges, 'consume', asTheyAre);
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
    const rulings = await switched.decide([charge({ most: 0 }), charge({ name: 'y' })], 'consume', asTheyAre);
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

  it('57: so is one that is thrown before there is anything to wait for', async () => {
    const { switched, redis, bugs } = setUp();
    const bug = new TypeError('undefined is not a function');
    redis.decideNow = () => {
      throw bug;
    };
    expect(await admitted(switched, 1, charge())).toBe(1);
    expect(bugs).toEqual([bug]);
  });

  it('one closed limit refuses, and nothing is charged', async () => {
    const { switched, memory, lose } = setUp();
    lose();
    const rulings = await switched.decide([charge(), charge({ name: 'y', outage: 'closed' })], 'consume', asTheyAre);
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
      for (const subject of subjects) await switched.decide([charge({ subject })], 'consume', asTheyAre);
      expect(Math.abs(redis.asked.length - 2_500)).toBeLessThan(130);
      const first = redis.asked.length;
      for (const subject of subjects) await switched.decide([charge({ subject })], 'consume', asTheyAre);
      expect(redis.asked.length).toBe(2 * first);
    });

    const on = (side: BackendName) =>
      subjects.find((subject) => shareOf(subject) < 50 === (side === 'redis')) ?? 'none';

    it('keeps all or nothing when the subjects of one request are on different sides', async () => {
      const { switched, redis, memory } = setUp({ canaryPercent: 50 });
      const here = (most: number) => charge({ name: 'here', most, subject: on('memory') });
      const there = (most: number) => charge({ name: 'there', most, subject: on('redis') });
      expect(await admitted(switched, 5, here(3), there(10))).toBe(3);
      const left = await switched.decide([here(3), there(10)], 'peek', asTheyAre);
      expect(left.map(({ verdict }) => verdict.remaining)).toEqual([0, 7]);
      expect(left.map(({ place }) => place)).toEqual(['memory', 'redis']);
      expect([redis.size, memory.size]).toEqual([1, 1]);
    });

    it('charges nothing here when Redis refuses', async () => {
      const { switched } = setUp({ canaryPercent: 50 });
      const here = charge({ name: 'here', most: 10, subject: on('memory') });
      const there = charge({ name: 'there', most: 2, subject: on('redis') });
      expect(await admitted(switched, 5, here, there)).toBe(2);
      expect((await switched.decide([here], 'peek', asTheyAre))[0]!.verdict.remaining).toBe(8);
    });

    it('100 asks Redis about all, 0 about none', async () => {
      const all = setUp({ canaryPercent: 100 });
      const none = setUp({ canaryPercent: 0 });
      for (const subject of subjects.slice(0, 100)) {
        await all.switched.decide([charge({ subject })], 'consume', asTheyAre);
        await none.switched.decide([charge({ subject })], 'consume', asTheyAre);
      }
      expect([all.redis.asked.length, none.redis.asked.length]).toEqual([100, 0]);
    });
  });

  describe('limits in trial', () => {
    const subjects = Array.from({ length: 10_000 }, (_, i) => subjectDigest('user', String(i)));

    it('81: are counted under keys of their own, and change no answer', async () => {
      const { switched, redis, wouldReject } = setUp();
      const shadow = charge({ name: 'shadow', most: 2, mode: 'shadow' });
      const answers = [];
      for (let i = 0; i < 5; i++)
        answers.push(await switched.decide([shadow, charge({ most: 4 })], 'consume', asTheyAre));
      expect(
        answers.map((rulings) => rulings.map(({ charge: { limit }, verdict }) => [limit.name, verdict.allowed])),
      ).toEqual([true, true, true, true, false].map((allowed) => [['x', allowed]]));
      await new Promise(setImmediate);
      expect(wouldReject).toEqual(['shadow', 'shadow', 'shadow']);
      expect(redis.size).toBe(2);
      const enforced = { ...shadow, limit: { ...shadow.limit, mode: 'enforce' as const } };
      expect((await switched.decide([enforced], 'peek', asTheyAre))[0]!.verdict.remaining).toBe(2);
    });

    it('81: are not charged by a peek, and alone leave nothing to decide', async () => {
      const { switched, redis, wouldReject } = setUp();
      const shadow = charge({ most: 0, mode: 'shadow' });
      expect(await switched.decide([shadow], 'peek', asTheyAre)).toEqual([]);
      expect(wouldReject).toEqual([]);
      expect(await switched.decide([shadow], 'consume', asTheyAre)).toEqual([]);
      expect([wouldReject, redis.size]).toEqual([['x'], 0]);
    });

    it('81: are asked in the same tick, and nobody waits for them or fails by them', async () => {
      const { switched, redis, bugs } = setUp();
      const ask = redis.decide.bind(redis);
      redis.decide = (limits, mode) =>
        limits[0]!.key.name.includes('shadow') ? new Promise(() => {}) : ask(limits, mode);
      const both = [charge({ name: 'shadow', mode: 'shadow' }), charge()];
      const decided = switched.decide(both, 'consume', asTheyAre);
      expect((await decided).map(({ charge: { limit } }) => limit.name)).toEqual(['x']);
      redis.decide = () => Promise.reject(new RedisReplyError('WRONGTYPE'));
      expect(await switched.decide([both[0]!], 'consume', asTheyAre)).toEqual([]);
      await new Promise(setImmediate);
      expect(bugs).toHaveLength(1);
    });

    it('82: enforce for their share of subjects, always the same ones, apart from the canary of Redis', async () => {
      const { switched } = setUp();
      const enforced = async (canary: number) => {
        const found: string[] = [];
        for (const subject of subjects) {
          const rulings = await switched.decide([charge({ subject, mode: { canary } })], 'peek', asTheyAre);
          if (rulings.length > 0) found.push(subject);
        }
        return found;
      };
      const quarter = await enforced(0.25);
      expect(Math.abs(quarter.length - 2_500)).toBeLessThan(130);
      expect(await enforced(0.25)).toEqual(quarter);
      const half = new Set(await enforced(0.5));
      expect(quarter.filter((subject) => !half.has(subject))).toEqual([]);
      const inCanary = quarter.filter((subject) => shareOf(subject) < 50).length;
      expect(Math.abs(inCanary - quarter.length / 2)).toBeLessThan(100);
      expect([(await enforced(0)).length, (await enforced(1)).length]).toEqual([0, 10_000]);
    });

    it('are owed like others when Redis is lost', async () => {
      const { switched, lose, granted, insurance } = setUp();
      lose();
      await switched.decide([charge({ mode: 'shadow' })], 'consume', asTheyAre);
      expect([granted, insurance.size]).toEqual([[{ requests: 1, unsure: false }], 1]);
    });
  });

  describe('what is owed to Redis', () => {
    it('is what was granted in an outage, and nothing that was refused, looked at or counted here by choice', async () => {
      const { switched, lose, granted, memory, insurance } = setUp();
      await admitted(switched, 2, charge());
      lose('forced');
      await admitted(switched, 2, charge());
      expect([granted, memory.size]).toEqual([[], 1]);
      lose();
      await admitted(switched, 12, charge());
      await switched.decide([charge({ name: 'y' })], 'peek', asTheyAre);
      await admitted(switched, 1, charge({ name: 'open', outage: 'open' }));
      expect(granted).toEqual(Array.from({ length: 10 }, () => ({ requests: 1, unsure: false })));
      expect([memory.size, insurance.size]).toEqual([1, 1]);
    });

    it('is unsure when Redis may have charged it, too', async () => {
      const { switched, redis, granted } = setUp();
      redis.failure = new RedisTimeoutError('rate.consume', 250);
      await admitted(switched, 1, charge());
      redis.failure = new RedisUnavailableError('unreachable', 'not sent', false);
      await admitted(switched, 1, charge({ cost: 3 }));
      expect(granted).toEqual([
        { requests: 1, unsure: true },
        { requests: 3, unsure: false },
      ]);
    });
  });

  it('measures what Redis took, and a timeout as without end', async () => {
    const { switched, redis, checked, lose } = setUp();
    await admitted(switched, 1, charge());
    redis.failure = new RedisTimeoutError('rate.consume', 250);
    await admitted(switched, 1, charge());
    redis.failure = new RedisUnavailableError('unreachable', 'not sent', false);
    await admitted(switched, 1, charge());
    lose();
    await admitted(switched, 1, charge());
    expect(checked).toEqual([expect.any(Number), Infinity]);
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
