import { ConsoleLogger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { InvalidOptionsError, RedisModule } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { MemoryRateLimitStore } from './stores/memory-rate-limit.store.js';
import { RateLimiter, type DecisionMessage } from './rate-limiter.service.js';
import { ThrottleModule } from './throttle.module.js';
import { InvalidCostError, InvalidSubjectError, UnknownPolicyError } from './throttle.errors.js';
import type { ThrottleOptions } from './throttle.options.js';

const options: ThrottleOptions = {
  policies: {
    login: [
      { name: 'user', limit: 2, window: '1h', key: 'user' },
      { name: 'address', limit: 5, window: '1h', key: 'ip' },
    ],
    search: { limit: 10, window: '300d', key: 'user', algorithm: 'fixed-window' },
    tiered: { limit: 'byTier', key: 'apiKey' },
    custom: { limit: 3, window: '1h', key: () => 'x', cost: 2 },
  },
  tiers: { free: '1/1h', pro: '3/1h', enterprise: 'unlimited' },
  tierOf: () => undefined,
};

describe.each(['memory', 'redis'] as const)('RateLimiter in %s', (backend) => {
  let server: RedisServer;
  let app: TestingModule;
  let limiter: RateLimiter;

  beforeAll(async () => {
    if (backend === 'redis') server = await RedisServer.start();
  });
  beforeEach(async () => {
    await server?.command('FLUSHALL');
    const redis = RedisModule.forRoot(server ? { url: server.url, commandTimeoutMs: 10_000 } : {});
    app = await Test.createTestingModule({ imports: [redis, ThrottleModule.forRoot(options)] })
      .setLogger(new ConsoleLogger({ logLevels: ['fatal'] }))
      .compile();
    await app.init();
    limiter = app.get(RateLimiter);
  });
  afterEach(() => app.close());
  afterAll(() => server?.stop());

  it('decides as the contract says', async () => {
    expect(await limiter.consume('login', { user: 'alice', address: '1.2.3.4' })).toEqual({
      allowed: true,
      state: 'allow',
      violated: [],
      retryAfterMs: 0,
      backend,
      policies: [
        { policy: 'login.user', limit: 2, windowMs: 3.6e6, remaining: 1, retryAfterMs: 0, resetAfterMs: 1.8e6 },
        { policy: 'login.address', limit: 5, windowMs: 3.6e6, remaining: 4, retryAfterMs: 0, resetAfterMs: 720_000 },
      ],
    });
    await limiter.consume('login', { user: 'alice', address: '1.2.3.4' });
    const refused = await limiter.consume('login', { user: 'alice', address: '1.2.3.4' });
    expect(refused).toMatchObject({ allowed: false, state: 'throttle', violated: ['login.user'], backend });
    expect(refused.retryAfterMs).toBeGreaterThan(1_799_000);
    expect(refused.policies.map(({ remaining }) => remaining)).toEqual([0, 3]);
  });

  it('counts a user and an address of one spelling apart, and an IPv6 network as one', async () => {
    await limiter.consume('login', '2001:db8::1');
    const other = await limiter.peek('login', { user: 'bob', address: '2001:db8::2' });
    expect(other.policies.map(({ remaining }) => remaining)).toEqual([2, 4]);
  });

  it('decides several policies as one, each limit once', async () => {
    const inline = { name: 'inline', limit: 1, window: '1h', key: 'user' } as const;
    const together = ['search', inline, 'search'] as const;
    expect((await limiter.consume(together, 'alice')).policies.map(({ policy }) => policy)).toEqual([
      'search',
      'inline',
    ]);
    expect(await limiter.consume(together, 'alice')).toMatchObject({ allowed: false, violated: ['inline'] });
    expect((await limiter.peek('search', 'alice')).policies[0]!.remaining).toBe(9);
  });

  it('35: the longest wait counts, and one without end most of all', async () => {
    const every = (window: '60s' | '5s', limit = 1) => ({ name: `${limit} in ${window}`, limit, window });
    const both = [every('60s'), every('5s')];
    await limiter.consume(both, '1.2.3.4');
    const refused = await limiter.consume(both, '1.2.3.4');
    expect(refused.violated).toEqual(['1 in 60s', '1 in 5s']);
    expect(refused.retryAfterMs).toBe(refused.policies[0]!.retryAfterMs);
    const never = await limiter.consume([every('60s', 0), every('5s')], '1.2.3.4');
    expect([never.state, never.violated, never.retryAfterMs]).toEqual(['throttle', ['0 in 60s', '1 in 5s'], null]);
  });

  it('peeks without charging, and says what consume would say', async () => {
    const before = await limiter.peek('search', 'alice', { cost: 11 });
    expect(before).toMatchObject({ allowed: false, retryAfterMs: null });
    expect(before.policies[0]!.remaining).toBe(10);
    await limiter.consume('search', 'alice', { cost: 10 });
    expect(await limiter.peek('search', 'alice')).toMatchObject({ allowed: false });
    expect(await limiter.peek('search', 'alice', { cost: 0 })).toMatchObject({ allowed: true });
  });

  it('takes the limit’s cost unless told another', async () => {
    expect((await limiter.consume('custom', 'x')).policies[0]!.remaining).toBe(1);
    expect((await limiter.consume('custom', 'x', { cost: 1 })).policies[0]!.remaining).toBe(0);
  });

  it('limits by tier, strictly when there is none, and never the unlimited', async () => {
    const allowed = async (tier: string | undefined, subject: string) => {
      const decisions = [];
      for (let i = 0; i < 4; i++) decisions.push((await limiter.consume('tiered', subject, { tier })).allowed);
      return decisions.filter(Boolean).length;
    };
    expect(await allowed('pro', 'a')).toBe(3);
    expect(await allowed(undefined, 'b')).toBe(1);
    expect(await allowed('platinum', 'c')).toBe(1);
    expect(await allowed('enterprise', 'd')).toBe(4);
    expect(await limiter.peek('tiered', 'd', { tier: 'enterprise' })).toMatchObject({ policies: [], backend });
  });

  it('58: resets one subject, literally, by one policy or by all', async () => {
    for (const subject of ['user', 'user*', 'user2']) await limiter.consume('search', subject);
    await limiter.consume('custom', 'user*');
    expect(await limiter.reset('search', 'user*')).toBe(1);
    const left = async (subject: string) => (await limiter.peek('search', subject)).policies[0]!.remaining;
    expect([await left('user'), await left('user*'), await left('user2')]).toEqual([9, 10, 9]);
    await limiter.consume('search', 'user*');
    expect(await limiter.reset('user*')).toBe(2);
    expect(await limiter.reset('user*')).toBe(0);
    expect([await left('user'), await left('user2')]).toEqual([9, 9]);
  });

  it('resets an address by any spelling, and a policy by a subject for each limit', async () => {
    await limiter.consume('login', { user: 'alice', address: '::ffff:1.2.3.4' });
    expect(await limiter.reset('1.2.3.4')).toBe(1);
    expect(await limiter.reset('login', { user: 'alice', address: '1.2.3.4' })).toBe(1);
  });

  it.each([NaN, -1, 0.5, Infinity, 2 ** 53, '1', null])(
    '26: refuses %p as a cost, before anything is counted',
    async (cost) => {
      const wrong = limiter.consume('search', 'alice', { cost: cost as number });
      await expect(wrong).rejects.toThrow(InvalidCostError);
      expect((await limiter.peek('search', 'alice')).policies[0]!.remaining).toBe(10);
    },
  );

  it.each([[''], [undefined], [null], [42], [{}], [{ toString: 'x' }]])('refuses %p as a subject', async (subject) => {
    await expect(limiter.consume('search', subject as unknown as string)).rejects.toThrow(InvalidSubjectError);
  });

  it('refuses what is no subject also where it has nothing to look for', async () => {
    for (const method of ['violations', 'unblock', 'reset'] as const) {
      await expect(limiter[method]('login', undefined!)).rejects.toThrow(InvalidSubjectError);
      await expect(limiter[method](null!)).rejects.toThrow(InvalidSubjectError);
    }
    const bare = Object.create(null) as string; // as the arguments of a GraphQL resolver are
    await expect(limiter.consume('login', { user: bare, address: bare })).rejects.toThrow(InvalidSubjectError);
  });

  it.each([null, 5, 'pro', true])('refuses %p for options, before anything is counted', async (nonsense) => {
    for (const method of ['consume', 'peek', 'reserve'] as const) {
      await expect(limiter[method]('search', 'alice', nonsense as never)).rejects.toThrow(InvalidOptionsError);
    }
    for (const method of ['reward', 'penalize'] as const) {
      await expect(limiter[method]('search', 'alice', 1, nonsense as never)).rejects.toThrow(InvalidOptionsError);
    }
    expect((await limiter.peek('search', 'alice')).policies[0]!.remaining).toBe(10);
  });

  it('refuses policies that it does not know, or that are wrong', async () => {
    await expect(limiter.consume('serach', 'alice')).rejects.toThrow(UnknownPolicyError);
    await expect(limiter.consume('constructor', 'alice')).rejects.toThrow(/Known are: login, search/);
    await expect(limiter.consume({ limit: 1, window: '1m' }, 'alice')).rejects.toThrow(InvalidOptionsError);
    await expect(limiter.consume({ name: 'x', limit: -1, window: '1m' }, 'alice')).rejects.toThrow(/limit/);
  });

  it('publishes decisions, without the subject', async () => {
    const messages: DecisionMessage[] = [];
    const listen = (message: unknown) => void messages.push(message as DecisionMessage);
    subscribe('roost:throttle:decision', listen);
    await limiter.consume('search', 'alice@example.org');
    await limiter.peek('search', 'alice@example.org');
    unsubscribe('roost:throttle:decision', listen);
    expect(messages).toHaveLength(1);
    expect(messages[0]!.decision.policies[0]!.policy).toBe('search');
    expect(JSON.stringify(messages)).not.toContain('alice');
  });

  it('keeps counts where it says', async () => {
    await limiter.consume('search', 'alice');
    expect(app.get(MemoryRateLimitStore, { strict: false }).size).toBe(backend === 'memory' ? 1 : 0);
  });
});
