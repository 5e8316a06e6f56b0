import { ConsoleLogger, Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Backend, InvalidOptionsError, RedisConnections, RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import { EPOCH_US, redisStoreWithClock } from './testing.js';
import { RateLimiter } from './rate-limiter.service.js';
import { MemoryRateLimitStore } from './stores/memory-rate-limit.store.js';
import { RateLimitStore } from './stores/rate-limit.store.js';
import { ThrottleModule } from './throttle.module.js';
import {
  InvalidCostError,
  InvalidSubjectError,
  RateLimitExceededError,
  refusalOf,
  ReservationRequiredError,
} from './throttle.errors.js';
import type { ThrottleOptions } from './throttle.options.js';

const options: ThrottleOptions = {
  policies: {
    tokens: { limit: 100, window: '100m', key: 'user' },
    windowed: { limit: 10, window: '1m', key: 'user', algorithm: 'fixed-window' },
    five: { limit: 5, window: '5m', key: 'user' },
    both: [
      { name: 'user', limit: 10, window: '10m', key: 'user' },
      { name: 'address', limit: 20, window: '20m' },
    ],
    exports: { limit: 2, window: '30s', key: 'user', algorithm: 'concurrency' },
    login: [
      {
        name: 'user',
        limit: 3,
        window: '1m',
        key: 'user',
        algorithm: 'fixed-window',
        block: { after: 3, for: '1h' },
      },
      { name: 'address', limit: 100, window: '1m' },
    ],
    tiered: { limit: 'byTier', key: 'apiKey' },
  },
  tiers: { free: '10/10m', pro: '100/10m', enterprise: 'unlimited' },
  tierOf: () => undefined,
};

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

describe.each(['memory', 'redis'] as const)('RateLimiter in %s', (backend) => {
  let server: RedisServer;
  let app: TestingModule;
  let limiter: RateLimiter;
  let nowUs: number;
  let setRedisClock: (us: number) => Promise<void> | void;

  const advance = async (ms: number) => {
    nowUs += ms * 1_000;
    if (server) await setRedisClock(nowUs);
  };

  beforeAll(async () => {
    if (backend === 'redis') server = await RedisServer.start();
  });
  beforeEach(async () => {
    await server?.command('FLUSHALL');
    nowUs = EPOCH_US;
    const redis = RedisModule.forRoot(server ? { url: server.url, commandTimeoutMs: 10_000 } : {});
    app = await Test.createTestingModule({ imports: [redis, ThrottleModule.forRoot(options)] })
      .overrideProvider(MemoryRateLimitStore)
      .useValue(new MemoryRateLimitStore({ nowUs: () => nowUs }))
      .overrideProvider(RateLimitStore)
      .useFactory({
        inject: [RedisConnections],
        factory: (connections: RedisConnections) => {
          const opened = redisStoreWithClock(connections.get().backend.commands);
          setRedisClock = (us) => opened.setClock(us);
          return opened.store;
        },
      })
      .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
      .compile();
    await app.init();
    limiter = app.get(RateLimiter);
    await advance(0);
  });
  afterEach(() => app.close());
  afterAll(() => server?.stop());

  const left = async (policy: string, subject = 'alice') =>
    (await limiter.peek(policy, subject)).policies.map(({ remaining }) => remaining);

  describe('reserve', () => {
    it('42: charges at once, and keeps what it turned out to cost', async () => {
      const { decision, commit } = await limiter.reserve('tokens', 'alice', { cost: 10 });
      expect(decision).toMatchObject({ allowed: true, backend });
      expect(await left('tokens')).toEqual([90]);
      expect(await commit(3)).toBe(true);
      expect(await left('tokens')).toEqual([97]);
    });

    it('42: takes itself back when nothing settles it, in a minute or what it was told', async () => {
      await limiter.reserve('tokens', 'alice', { cost: 10 });
      await limiter.reserve('tokens', 'alice', { cost: 20, for: '10s' });
      expect(await left('tokens')).toEqual([70]);
      await advance(10 * SECOND);
      expect(await left('tokens')).toEqual([90]);
      await advance(50 * SECOND);
      expect(await left('tokens')).toEqual([100]);
    });

    it('41: settles once', async () => {
      const first = await limiter.reserve('tokens', 'alice', { cost: 10 });
      expect([await first.commit(3), await first.commit(3), await first.rollback()]).toEqual([true, false, false]);
      expect(await left('tokens')).toEqual([97]);
      const second = await limiter.reserve('tokens', 'alice', { cost: 10 });
      expect([await second.rollback(), await second.commit(), await second.rollback()]).toEqual([true, false, false]);
      expect(await left('tokens')).toEqual([97]);
      const third = await limiter.reserve('tokens', 'alice', { cost: 10 });
      expect(await Promise.all([third.rollback(), third.rollback(), third.commit()])).toEqual([true, false, false]);
      expect(await left('tokens')).toEqual([97]);
    });

    it('a commit without a cost keeps all, for good', async () => {
      const { commit } = await limiter.reserve('tokens', 'alice', { cost: 10, for: '10s' });
      expect(await commit()).toBe(true);
      await advance(20 * SECOND);
      expect(await left('tokens')).toEqual([90]);
    });

    it('40: what is settled after the window or the reservation has ended changes nothing', async () => {
      const windowed = await limiter.reserve('windowed', 'alice', { cost: 4, for: '10m' });
      await advance(MINUTE);
      await limiter.consume('windowed', 'alice');
      expect(await windowed.rollback()).toBe(false);
      expect(await left('windowed')).toEqual([9]);

      const ended = await limiter.reserve('tokens', 'alice', { cost: 10, for: '10s' });
      await advance(10 * SECOND);
      await limiter.consume('tokens', 'alice', { cost: 5 });
      const before = await left('tokens');
      expect(await ended.rollback()).toBe(false);
      expect(await left('tokens')).toEqual(before);
    });

    it('charges more than was reserved, even beyond the limit', async () => {
      const { commit } = await limiter.reserve('tokens', 'alice', { cost: 60 });
      await commit(130);
      expect(await limiter.peek('tokens', 'alice')).toMatchObject({ allowed: false, retryAfterMs: 31 * MINUTE });
    });

    it('settles every limit of a policy', async () => {
      const { commit } = await limiter.reserve('both', { user: 'alice', address: '1.2.3.4' }, { cost: 5 });
      await commit(1);
      const { policies } = await limiter.peek('both', { user: 'alice', address: '1.2.3.4' });
      expect(policies.map(({ remaining }) => remaining)).toEqual([9, 19]);
    });

    it('has nothing to settle when it is refused, free or unlimited', async () => {
      const refused = await limiter.reserve('tokens', 'alice', { cost: 101 });
      expect([refused.decision.allowed, await refused.commit(), await left('tokens')]).toEqual([false, false, [100]]);
      const free = await limiter.reserve('tokens', 'alice', { cost: 0 });
      expect([free.decision.allowed, await free.rollback()]).toEqual([true, false]);
      const unlimited = await limiter.reserve('tiered', 'alice', { tier: 'enterprise' });
      expect([unlimited.decision.allowed, await unlimited.commit(5)]).toEqual([true, false]);
    });

    it('holds of one subject are told apart', async () => {
      const costs = [1, 2, 4, 8, 16];
      const all = await Promise.all(costs.map((cost) => limiter.reserve('tokens', 'alice', { cost })));
      await all[2]!.rollback();
      await all[4]!.commit(1);
      await all[0]!.commit();
      expect(await left('tokens')).toEqual([100 - 1 - 2 - 8 - 1]);
    });

    it.each([NaN, -1, 0.5, 2 ** 53, '1', null])('26: refuses %p as a cost, and charges nothing', async (wrong) => {
      const cost = wrong as number;
      await expect(limiter.reserve('tokens', 'alice', { cost })).rejects.toThrow(InvalidCostError);
      await expect(limiter.reward('tokens', 'alice', cost)).rejects.toThrow(InvalidCostError);
      await expect(limiter.penalize('tokens', 'alice', cost)).rejects.toThrow(InvalidCostError);
      expect(await left('tokens')).toEqual([100]);
      const { commit, rollback } = await limiter.reserve('tokens', 'alice', { cost: 10 });
      await expect(commit(cost)).rejects.toThrow(InvalidCostError);
      expect(await rollback()).toBe(true); // a mistake settles nothing
      expect(await left('tokens')).toEqual([100]);
    });

    it.each([0, '1y', '367d', null])('refuses %p as a length of time', async (wrong) => {
      const options = { for: wrong as '1m' };
      if (wrong !== null)
        await expect(limiter.reserve('tokens', 'alice', options)).rejects.toThrow(InvalidOptionsError);
      await expect(limiter.block('alice', wrong as '1m')).rejects.toThrow(InvalidOptionsError);
      expect(await left('tokens')).toEqual([100]);
    });
  });

  describe('slots', () => {
    it('85: are taken by reserve, and free when settled', async () => {
      const [one, two, three] = [
        await limiter.reserve('exports', 'alice'),
        await limiter.reserve('exports', 'alice'),
        await limiter.reserve('exports', 'alice'),
      ];
      expect([one, two, three].map(({ decision }) => decision.allowed)).toEqual([true, true, false]);
      expect([await three.rollback(), await one.commit(), await one.rollback()]).toEqual([false, true, false]);
      expect(await left('exports')).toEqual([1]);
      expect([await two.rollback(), await left('exports')]).toEqual([true, [2]]);
    });

    it('85: of a process that died are free after their window', async () => {
      await limiter.reserve('exports', 'alice');
      await advance(29_999);
      expect(await left('exports')).toEqual([1]);
      await advance(1);
      expect(await left('exports')).toEqual([2]);
    });

    it('cannot be consumed', async () => {
      const consumed = limiter.consume(['tokens', 'exports'], 'alice');
      await expect(consumed).rejects.toThrow(ReservationRequiredError);
      await expect(consumed).rejects.toMatchObject({ code: 'throttle.reservation-required' });
      expect(await left('tokens')).toEqual([100]);
    });

    it('are neither rewarded nor penalized', async () => {
      expect(await limiter.penalize('exports', 'alice')).toMatchObject({ allowed: true, policies: [] });
      expect(await left('exports')).toEqual([2]);
    });
  });

  describe('reward and penalize', () => {
    it('18: a reward ends at the full limit, of a fresh and of a used one', async () => {
      const fresh = await limiter.reward('five', 'alice', 100);
      expect(fresh).toMatchObject({ allowed: true, policies: [{ policy: 'five', remaining: 5 }], backend });
      await limiter.consume('five', 'bob', { cost: 5 });
      expect((await limiter.reward('five', 'bob', 100)).policies[0]!.remaining).toBe(5);
      expect(await left('five', 'bob')).toEqual([5]);
    });

    it('19: a penalty is charged, and two of five are left', async () => {
      expect((await limiter.penalize('five', 'alice', 3)).policies[0]!.remaining).toBe(2);
      const remaining: (number | boolean)[] = [];
      for (let i = 0; i < 3; i++) {
        const { allowed, policies } = await limiter.consume('five', 'alice');
        remaining.push(allowed ? policies[0]!.remaining : allowed);
      }
      expect(remaining).toEqual([1, 0, false]);
    });

    it('a penalty is charged though it does not fit, and takes a request with it', async () => {
      await limiter.penalize('five', 'alice', 7);
      expect(await limiter.peek('five', 'alice')).toMatchObject({ allowed: false, retryAfterMs: 3 * MINUTE });
    });

    it('apply to each limit for itself, one unless told more', async () => {
      const subject = { user: 'alice', address: '1.2.3.4' };
      await limiter.penalize('both', subject, 4);
      expect((await limiter.reward('both', subject)).policies.map(({ remaining }) => remaining)).toEqual([7, 17]);
      expect((await limiter.penalize('both', subject)).policies.map(({ remaining }) => remaining)).toEqual([6, 16]);
    });

    it('go by the tier', async () => {
      expect((await limiter.penalize('tiered', 'key', 4, { tier: 'pro' })).policies[0]!.remaining).toBe(96);
      expect(await limiter.penalize('tiered', 'other', 4, { tier: 'enterprise' })).toMatchObject({ policies: [] });
    });
  });

  describe('block', () => {
    const attempt = () => limiter.consume('login', { user: 'alice', address: '6.6.6.6' });

    it('brute force is refused, counted, blocked and logged', async () => {
      const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
      const states: string[] = [];
      for (let i = 0; i < 8; i++) states.push((await attempt()).state);
      expect(states.slice(0, 5)).toEqual(['allow', 'allow', 'allow', 'throttle', 'throttle']);
      expect(states.slice(5)).toEqual(['block', 'block', 'block']);
      expect(await limiter.violations('login', { user: 'alice', address: '6.6.6.6' })).toBe(3);
      await advance(2 * MINUTE);
      const refused = await attempt();
      expect(refused).toMatchObject({ allowed: false, state: 'block', violated: ['login.user'] });
      expect(refused.retryAfterMs).toBe(58 * MINUTE);
      expect(await left('login', 'mallory')).toEqual([3, 100]); // others go on
      await advance(58 * MINUTE);
      expect((await attempt()).state).toBe('allow');
      const logged = warn.mock.calls.filter(([, details]) => (details as { event?: string })?.event);
      warn.mockRestore();
      expect(logged).toHaveLength(1);
      expect(logged[0]![1]).toMatchObject({
        event: 'throttle.blocked',
        rate_limit_state: 'block',
        policy: 'login.user',
        forMs: 60 * MINUTE,
        suppressed: 0,
      });
      expect(JSON.stringify(logged)).not.toMatch(/alice|6\.6\.6\.6/);
    });

    it('a blocked subject’s refusal is a 429 that says so', async () => {
      await limiter.block('login', 'alice', '10m');
      const error = refusalOf(await limiter.consume('login', 'alice'));
      expect(error).toBeInstanceOf(RateLimitExceededError);
      expect(error.getStatus()).toBe(429);
      expect(error.getResponse()).toMatchObject({
        detail: '"login.user" has blocked you, "login.address" has blocked you. Try again in 600 s.',
      });
    });

    it('refuses everywhere, for so long, and then counts anew', async () => {
      await limiter.consume('five', 'alice', { cost: 5 });
      await limiter.block('alice', '10s');
      for (const policy of ['five', 'tokens', 'windowed', 'both', 'login', 'exports']) {
        expect(await limiter.peek(policy, 'alice')).toMatchObject({ allowed: false, state: 'block' });
        expect((await limiter.peek(policy, 'bob')).allowed).toBe(true);
      }
      expect((await limiter.reserve('exports', 'alice')).decision.state).toBe('block');
      await advance(9_999);
      expect((await limiter.consume('five', 'alice')).retryAfterMs).toBe(1);
      await advance(1);
      expect(await left('five')).toEqual([5]);
    });

    it('by one policy leaves the others alone, and is lifted', async () => {
      await limiter.block('five', 'alice', '1h');
      expect((await limiter.peek('tokens', 'alice')).allowed).toBe(true);
      expect(await limiter.unblock('tokens', 'alice')).toBe(0);
      expect((await limiter.peek('five', 'alice')).state).toBe('block');
      expect(await limiter.unblock('five', 'alice')).toBeGreaterThan(0);
      expect((await limiter.peek('five', 'alice')).allowed).toBe(true);
      expect(await limiter.unblock('five', 'alice')).toBe(0);
      await limiter.block('alice', '1h');
      expect(await limiter.unblock('alice')).toBeGreaterThan(0);
      expect((await limiter.peek('login', 'alice')).allowed).toBe(true);
    });

    it('violations are summed, outlive windows, and are reset', async () => {
      for (let i = 0; i < 5; i++) await attempt();
      await advance(2 * MINUTE);
      expect(await limiter.violations('alice')).toBe(2);
      expect(await limiter.violations('five', 'alice')).toBe(0);
      await limiter.reset('login', { user: 'alice', address: '6.6.6.6' });
      expect(await limiter.violations('alice')).toBe(0);
      for (let i = 0; i < 5; i++) await attempt();
      await limiter.reset('alice');
      expect(await limiter.violations('alice')).toBe(0);
    });

    it('a reset lifts blocks', async () => {
      await limiter.block('alice', '1h');
      await limiter.reset('alice');
      expect((await limiter.peek('login', 'alice')).allowed).toBe(true);
    });

    it('of one without a name is refused, and does not take the policy’s name for one', async () => {
      const missing = undefined as unknown as string;
      await expect(limiter.block('five', missing, '1h')).rejects.toThrow(InvalidSubjectError);
      await expect(limiter.unblock('five', missing)).rejects.toThrow(InvalidSubjectError);
      await expect(limiter.violations('login', missing)).rejects.toThrow(InvalidSubjectError);
      await expect(limiter.reset('five', missing)).rejects.toThrow(InvalidSubjectError);
      await expect(limiter.block(missing, '1h')).rejects.toThrow(InvalidSubjectError);
    });
  });

  it.each([[undefined], [null], [42], [[]], [[undefined]], [true]])('refuses %p as a policy', async (wrong) => {
    const policy = wrong as unknown as string;
    for (const call of [
      limiter.consume(policy, 'alice'),
      limiter.peek(policy, 'alice'),
      limiter.reserve(policy, 'alice'),
      limiter.penalize(policy, 'alice'),
      limiter.block(policy, 'alice', '1h'),
      limiter.reset(policy, 'alice'),
    ]) {
      await expect(call).rejects.toMatchObject({
        code: 'options.invalid',
        message: /Expected (a|at least one) policy/,
      });
    }
  });
});

describe('while Redis is lost', () => {
  let server: RedisServer;
  let app: TestingModule;
  let limiter: RateLimiter;
  let backend: Backend;

  beforeEach(async () => {
    server = await RedisServer.start();
    const imports = [
      RedisModule.forRoot({ url: server.url, recheckMs: 500 }),
      ThrottleModule.forRoot({
        policies: {
          login: { limit: 10, window: '1h', key: 'user' },
          open: { limit: 10, window: '1h', key: 'user', outage: 'open' },
        },
      }),
    ];
    app = await Test.createTestingModule({ imports })
      .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
      .compile();
    await app.init();
    limiter = app.get(RateLimiter);
    backend = app.get(Backend);
  });
  afterEach(async () => {
    await app.close();
    await server.stop();
  });

  const lose = async () => {
    server.freeze();
    await Promise.all(Array.from({ length: 6 }, () => limiter.peek('login', 'someone')));
    await eventually(() => backend.state().write === 'open' && backend.current === 'memory', { within: 3_000 });
  };
  const comeBack = () => {
    server.thaw();
    return eventually(() => backend.current === 'redis', { within: 8_000 });
  };
  const left = async (subject: string) => (await limiter.peek('login', subject)).policies[0]!.remaining;

  it('a reservation in Redis is settled when Redis is back, and the call does not fail', async () => {
    const { commit } = await limiter.reserve('login', 'alice', { cost: 8, for: '10m' });
    const other = await limiter.reserve('login', 'bob', { cost: 8, for: '10m' });
    await lose();
    expect([await commit(2), await other.rollback()]).toEqual([false, false]);
    expect([await commit(2), await other.rollback()]).toEqual([false, false]);
    await comeBack();
    await eventually(async () => expect([await left('alice'), await left('bob')]).toEqual([8, 10]), { within: 2_000 });
  });

  it('a reservation is settled where it was decided, whoever serves then', async () => {
    backend.force('memory');
    const { decision, rollback } = await limiter.reserve('login', 'alice', { cost: 8 });
    expect(decision.backend).toBe('memory');
    backend.force(null);
    await limiter.consume('login', 'alice', { cost: 3 });
    expect(await rollback()).toBe(true);
    expect(await left('alice')).toBe(7);
    backend.force('memory');
    expect(await left('alice')).toBe(10);
  });

  it('a reservation of an outage is settled while it lasts, and what is merged into Redis stays charged', async () => {
    await lose();
    const early = await limiter.reserve('login', 'alice', { cost: 8 });
    const late = await limiter.reserve('login', 'bob', { cost: 8 });
    expect(await early.rollback()).toBe(true);
    await comeBack();
    await eventually(async () => expect([await left('alice'), await left('bob')]).toEqual([10, 2]), { within: 2_000 });
    expect(await late.rollback()).toBe(false);
    expect(await left('bob')).toBe(2);
  });

  it('a block holds here at once, also where the outage policy is open, and in Redis when it is back', async () => {
    await lose();
    await limiter.block('alice', '1h');
    expect(await limiter.consume('login', 'alice')).toMatchObject({ state: 'block', backend: 'memory' });
    expect((await limiter.consume('open', 'alice')).state).toBe('block');
    expect((await limiter.consume('open', 'bob')).allowed).toBe(true);
    expect(await limiter.consume(['login', 'open'], 'bob')).toMatchObject({ allowed: true });
    await comeBack();
    await eventually(async () => (await limiter.peek('login', 'alice')).state === 'block', { within: 1_000 });
    expect((await limiter.peek('login', 'alice')).backend).toBe('redis');
  });

  it('nothing is charged when one limit is blocked and another counts', async () => {
    await lose();
    await limiter.block('open', 'alice', '1h');
    expect(await limiter.consume(['login', 'open'], 'alice')).toMatchObject({ state: 'block', violated: ['open'] });
    expect(await left('alice')).toBe(10);
  });
});
