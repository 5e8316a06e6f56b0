import { ConsoleLogger } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Backend, HealthRegistry, Metrics, RedisModule } from '@roost/redis';
import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { RateLimitRollout } from '../rollout/rate-limit.rollout.js';
import { RateLimiter } from '../rate-limiter.service.js';
import { ThrottleModule } from '../throttle.module.js';
import type { LimitOptions, ThrottleOptions } from '../throttle.options.js';
import { OutageDebts } from './outage-debts.js';
import { ReplicaCensus } from './replica-census.js';

const silent = new ConsoleLogger({ logLevels: [] });
const LIMIT = 100;
const REPLICAS = 3;
const SHARE = Math.ceil(LIMIT / REPLICAS);

const limits: Record<string, LimitOptions> = {
  gcra: { limit: LIMIT, window: '300d', key: 'user' },
  'fixed-window': { limit: LIMIT, window: '300d', key: 'user', algorithm: 'fixed-window' },
  'sliding-window': { limit: LIMIT, window: '300d', key: 'user', algorithm: 'sliding-window' },
  'sliding-log': { limit: LIMIT, window: '300d', key: 'user', algorithm: 'sliding-log' },
  calendar: { limit: LIMIT, window: 'month', key: 'user' },
};

/** Does nothing about debts: for tests that must notice. */
class Forgetful extends OutageDebts {
  override merge(): Promise<void> {
    return Promise.resolve();
  }
}

async function boot(url: string, options: ThrottleOptions = {}, { merging = true, commandTimeoutMs = 250 } = {}) {
  const imports = [
    RedisModule.forRoot({ url, recheckMs: 50, bootWaitMs: 50, commandTimeoutMs }),
    ThrottleModule.forRoot({ policies: limits, ...options }),
  ];
  const building = Test.createTestingModule({ imports }).setLogger(silent);
  if (!merging)
    building.overrideProvider(OutageDebts).useValue(new Forgetful(null!, null!, { maxEntries: 9 } as never));
  const app = await building.compile();
  await app.init();
  const limiter = app.get(RateLimiter);
  return {
    app,
    limiter,
    backend: app.get(Backend),
    census: app.get(ReplicaCensus),
    debts: app.get(OutageDebts),
    rollout: app.get(RateLimitRollout),
    health: () => app.get(HealthRegistry).reports().throttle!,
    metrics: () => app.get(Metrics).registry.metrics(),
    /** How many of so many requests pass. */
    admitted: async (policy: string, requests: number, subject = 'u') => {
      const answers = await Promise.all(Array.from({ length: requests }, () => limiter.consume(policy, subject)));
      return answers.filter(({ allowed }) => allowed).length;
    },
    remaining: async (policy: string, subject = 'u') => (await limiter.peek(policy, subject)).policies[0]!.remaining,
  };
}
type Booted = Awaited<ReturnType<typeof boot>>;

describe('three processes that lose their Redis', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  let all: readonly Booted[] = [];
  beforeAll(async () => {
    server = await RedisServer.start();
    proxy = await FaultProxy.start({ target: server });
  });
  beforeEach(() => server.command('FLUSHALL'));
  afterEach(async () => {
    await proxy.pass();
    await Promise.all(all.map(({ app }) => app.close()));
    all = [];
  });
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
  });

  async function start(options?: { merging: boolean }): Promise<void> {
    const patient = { ...options, commandTimeoutMs: 2_000 }; // a slow machine is not a lost Redis: numbers are exact
    all = await Promise.all(Array.from({ length: REPLICAS }, () => boot(proxy.url, {}, patient)));
    await eventually(() => all.every(({ backend }) => backend.current === 'redis'), { within: 5_000 });
    await Promise.all(all.map(({ census }) => census.take()));
    await Promise.all(all.map(({ census }) => census.take()));
  }
  async function lose(): Promise<void> {
    await proxy.refuse();
    await eventually(() => all.every(({ backend }) => backend.current === 'memory'), { within: 2_000 });
  }
  async function comeBack(): Promise<void> {
    await proxy.pass();
    await eventually(() => all.every(({ backend, debts }) => backend.current === 'redis' && debts.size === 0), {
      within: 10_000,
    });
    await Promise.all(all.map(({ debts }) => debts.merge())); // also those that are under way
  }

  it('T19: let at most the limit and each its part pass, by every algorithm', async () => {
    await start();
    const admitted = Object.fromEntries(Object.keys(limits).map((policy) => [policy, 0]));
    const consume = async (requests: number) => {
      for (const policy of Object.keys(limits)) {
        for (const { admitted: count } of all) admitted[policy]! += await count(policy, requests);
      }
    };
    await consume(20);
    await lose();
    await consume(SHARE + 10);
    await comeBack();
    await consume(50);
    const each = Object.values(admitted);
    // 60 before, three full parts alone, and nothing afterwards: the parts are charged, up to one more limit.
    expect(each).toEqual(each.map(() => 60 + REPLICAS * SHARE));
    expect(Math.max(...each)).toBeLessThanOrEqual(LIMIT + REPLICAS * SHARE);
  }, 30_000);

  const afterwards = async (): Promise<number[]> => {
    await lose();
    for (const policy of Object.keys(limits)) {
      expect(await all[0]!.admitted(policy, 5)).toBe(5);
      expect(await all[1]!.admitted(policy, 7)).toBe(7);
    }
    await proxy.pass();
    await eventually(() => all.every(({ backend }) => backend.current === 'redis'), { within: 10_000 });
    await Promise.all(all.map(({ debts }) => debts.merge()));
    return Promise.all(Object.keys(limits).map((policy) => all[2]!.remaining(policy)));
  };

  it('what was used alone is used in Redis afterwards, exactly', async () => {
    await start();
    for (const policy of Object.keys(limits)) expect(await all[2]!.admitted(policy, 10)).toBe(10);
    expect(await afterwards()).toEqual(Object.keys(limits).map(() => LIMIT - 10 - 12));
    expect(await all[0]!.metrics()).toContain(
      `roost_rate_limit_debt_total{outcome="merged"} ${5 * Object.keys(limits).length}`,
    );
  }, 30_000);

  it('goes red without the merge', async () => {
    await start({ merging: false });
    for (const policy of Object.keys(limits)) expect(await all[2]!.admitted(policy, 10)).toBe(10);
    expect(await afterwards()).toEqual(Object.keys(limits).map(() => LIMIT - 10));
  }, 30_000);

  it('take their parts by those that are alive, although the option says one', async () => {
    await start();
    expect(all.map(({ health }) => health()['replicas'])).toEqual([3, 3, 3]);
    await lose();
    expect(await all[0]!.admitted('gcra', LIMIT)).toBe(SHARE);
    expect(all[0]!.health()).toMatchObject({ status: 'degraded', replicas: 3 });
  });
});

describe('one process', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  const apps: Booted[] = [];
  beforeAll(async () => {
    server = await RedisServer.start();
    proxy = await FaultProxy.start({ target: server });
  });
  beforeEach(() => server.command('FLUSHALL'));
  afterEach(async () => {
    server.thaw();
    await proxy.pass();
    await Promise.all(apps.splice(0).map(({ app }) => app.close()));
  });
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
  });
  const start = async (...args: Parameters<typeof boot>) => {
    const booted = await boot(...args);
    apps.push(booted);
    return booted;
  };

  describe.each(['refused', 'frozen'] as const)('47: booted with a Redis that is %s', (how) => {
    it.each([
      ['local', 5, 'throttle'],
      ['open', 12, 'allow'],
      ['closed', 0, 'block'],
    ] as const)('outage %s lets %d of 12 pass, each answered at once', async (outage, passes, state) => {
      if (how === 'frozen') server.freeze();
      const url = how === 'frozen' ? proxy.url : 'redis://127.0.0.1:1';
      const { limiter } = await start(url, { replicas: 2, policies: { x: { limit: 10, window: '1h', outage } } });
      const answers = [];
      let slowest = 0;
      for (let i = 0; i < 12; i++) {
        const startedAt = performance.now();
        answers.push(await limiter.consume('x', '1.2.3.4'));
        slowest = Math.max(slowest, performance.now() - startedAt);
      }
      expect(answers.filter(({ allowed }) => allowed)).toHaveLength(passes);
      expect(answers.at(-1)).toMatchObject({ state, backend: 'memory' });
      expect(slowest).toBeLessThan(100);
    });
  });

  it('48: a call whose answer was lost is charged once, and nothing is sent again when Redis is back', async () => {
    const { admitted, remaining, backend, health, debts, metrics } = await start(proxy.url);
    await eventually(() => backend.current === 'redis', { within: 5_000 });
    expect(await admitted('gcra', 10)).toBe(10);
    const before = await calls();
    await proxy.dropReplies({ thenReset: true, once: true, to: 'evalsha' });
    expect(await admitted('gcra', 1)).toBe(1);
    await proxy.refuse(); // and then it dies
    await eventually(() => health().status === 'degraded', { within: 2_000 });
    expect(await admitted('gcra', 3, 'other')).toBe(3);
    await proxy.pass();
    await eventually(() => backend.current === 'redis' && health().status === 'up', { within: 10_000 });
    await eventually(() => debts.size === 0, { within: 1_000 });
    expect([await remaining('gcra'), await remaining('gcra', 'other')]).toEqual([LIMIT - 11, LIMIT - 3]);
    expect(await metrics()).toContain('debt_total{outcome="merged"} 3');
    expect((await calls()) - before).toBeLessThanOrEqual(6); // the lost call, the merge, two looks and the census
  }, 20_000);

  it('49: what Redis refuses is refused, although the insurance would grant it', async () => {
    const { admitted, health, backend } = await start(server.url);
    await eventually(() => backend.current === 'redis', { within: 5_000 });
    expect(await admitted('gcra', LIMIT + 50)).toBe(LIMIT);
    expect(health()).toMatchObject({ memoryEntries: 0, replicas: 1 });
  });

  it('50: whose clock is an hour ahead admits no more: the clock of Redis decides', async () => {
    const [one, two] = [await start(server.url), await start(server.url)];
    for (const policy of ['gcra', 'fixed-window']) {
      expect(await one.admitted(policy, 60)).toBe(60);
      const ahead = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 3_600_000);
      expect(await two.admitted(policy, 60)).toBe(40);
      ahead.mockRestore();
      expect(await one.admitted(policy, 10)).toBe(0);
    }
  });

  it('gives a slow Redis up, says so, and asks it again when told to', async () => {
    const { limiter, rollout, backend, health, metrics } = await start(
      proxy.url,
      { stopLoss: { p95: '100ms', over: '600ms' }, policies: { x: { limit: 1_000, window: '1h', key: 'user' } } },
      { commandTimeoutMs: 1_000 },
    );
    await eventually(() => backend.current === 'redis', { within: 5_000 });
    await proxy.delay(60);
    await eventually(
      async () => {
        const answers = await Promise.all(Array.from({ length: 5 }, () => limiter.consume('x', 'u')));
        return answers.every(({ backend: by }) => by === 'memory');
      },
      { within: 10_000, every: 1 },
    );
    expect(backend.current).toBe('redis');
    expect(health()).toMatchObject({ status: 'degraded', canaryPercent: 0, stopLoss: { p95Ms: 100, overMs: 600 } });
    const text = await metrics();
    expect(text).toContain('roost_rate_limit_stop_loss_total 1');
    expect(text).toContain('roost_rate_limit_canary_percent 0');
    await proxy.pass();
    expect((await limiter.consume('x', 'u')).backend).toBe('memory'); // a latch
    await rollout.setCanaryPercent(100);
    expect((await limiter.consume('x', 'u')).backend).toBe('redis');
    expect(health()).toMatchObject({ status: 'up', canaryPercent: 100, stopLoss: null });
  }, 20_000);

  async function calls(): Promise<number> {
    const { eval: evals, evalsha } = await server.commandStats();
    const failed = (evals?.failedCalls ?? 0) + (evalsha?.failedCalls ?? 0);
    return (evals?.calls ?? 0) + (evalsha?.calls ?? 0) - failed;
  }
});
