import { Test, type TestingModule } from '@nestjs/testing';
import { HealthRegistry, Metrics, RedisConnections, RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import { RateLimiter } from '../rate-limiter.service.js';
import { MemoryRateLimitStore } from '../stores/memory-rate-limit.store.js';
import { ThrottleModule } from '../throttle.module.js';
import type { ThrottleOptions } from '../throttle.options.js';

const SOON = { within: 2_000, every: 5 };

describe('the shortcuts in an application', () => {
  let server: RedisServer;
  const apps: TestingModule[] = [];
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
    await server.command('FLUSHALL');
  });
  afterAll(() => server?.stop());

  async function boot(options: ThrottleOptions = {}) {
    const redis = RedisModule.forRoot({ url: server.url, backend: 'redis', commandTimeoutMs: 2_000 });
    const policies = {
      once: { limit: 1, window: '1h', key: 'user' },
      tiers: [
        { name: 'user', limit: 100, window: '1h', key: 'user' },
        { name: 'once', limit: 1, window: '1h', key: 'user' },
      ],
      hot: { limit: 1_000_000, window: '30d', algorithm: 'fixed-window', key: 'user', lease: true },
    } as const;
    const imports = [redis, ThrottleModule.forRoot({ policies, ...options })];
    const app = await (await Test.createTestingModule({ imports }).compile()).init();
    apps.push(app);
    return { app, limiter: app.get(RateLimiter) };
  }

  const known = (app: TestingModule) =>
    app.get(HealthRegistry).reports().throttle as unknown as { refusalsKnown: number };

  /** Asks until the refusal is known here. */
  async function refuse({ app, limiter }: { app: TestingModule; limiter: RateLimiter }, subject: string) {
    const before = known(app).refusalsKnown;
    await eventually(async () => {
      expect((await limiter.consume('once', subject)).allowed).toBe(false);
      expect(known(app).refusalsKnown).toBeGreaterThan(before);
    }, SOON);
  }

  const metric = async (app: TestingModule, shortcut: string) => {
    const line = new RegExp(`roost_rate_limit_local_decisions_total\\{shortcut="${shortcut}"\\} (\\d+)`);
    return Number(line.exec(await app.get(Metrics).registry.metrics())?.[1] ?? 0);
  };

  it('52: 10 000 requests of a refused subject make no call, and a reset elsewhere lets it in again', async () => {
    const [one, two] = [await boot(), await boot()];
    await one.limiter.consume('once', 'ann');
    await refuse(one, 'ann');
    await refuse(two, 'ann');
    const before = await server.commandStats();
    for (let i = 0; i < 5_000; i++) {
      for (const { limiter } of [one, two]) expect((await limiter.consume('once', 'ann')).allowed).toBe(false);
    }
    const after = await server.commandStats();
    expect(after.evalsha!.calls).toBe(before.evalsha!.calls);
    expect(await metric(two.app, 'reject-cache')).toBeGreaterThanOrEqual(5_000);
    expect(await two.limiter.reset('once', 'ann')).toBe(1);
    expect((await two.limiter.consume('once', 'ann')).allowed).toBe(true);
    await two.limiter.reset('once', 'ann');
    await eventually(async () => expect((await one.limiter.consume('once', 'ann')).allowed).toBe(true), SOON);
  });

  it('a known refusal tells of the limits that object, as any refusal does', async () => {
    const one = await boot();
    await one.limiter.consume('tiers', 'bob');
    const asked = await one.limiter.consume('tiers', 'bob');
    expect(asked.policies.map(({ policy }) => policy)).toEqual(['tiers.user', 'tiers.once']);
    await eventually(async () => {
      const decision = await one.limiter.consume('tiers', 'bob');
      expect(decision.policies).toHaveLength(1);
      expect(decision).toEqual({
        ...asked,
        policies: [{ ...asked.policies[1]!, retryAfterMs: expect.any(Number), resetAfterMs: expect.any(Number) }],
        retryAfterMs: decision.policies[0]!.retryAfterMs,
      });
      expect(Object.keys(decision.policies[0]!)).toEqual(Object.keys(asked.policies[1]!));
    }, SOON);
    expect((await one.limiter.peek('tiers', 'bob')).policies).toHaveLength(2);
  });

  it('49: a known refusal is no matter for the store in this process', async () => {
    const one = await boot({ replicas: 1 });
    await one.limiter.consume('once', 'cid');
    await refuse(one, 'cid');
    await one.limiter.consume('once', 'cid');
    expect(one.app.get(MemoryRateLimitStore).size).toBe(0);
  });

  it('asks each time without entries', async () => {
    const one = await boot({ rejectCacheEntries: 0 });
    for (let i = 0; i < 5; i++) await one.limiter.consume('once', 'dan');
    const before = (await server.commandStats()).evalsha!.calls;
    for (let i = 0; i < 5; i++) await one.limiter.consume('once', 'dan');
    expect((await server.commandStats()).evalsha!.calls).toBe(before + 5);
    expect(known(one.app).refusalsKnown).toBe(0);
  });

  it('forgets what was known when the backend changes, and is as before when Redis serves again', async () => {
    const one = await boot();
    await one.limiter.consume('once', 'eve');
    await refuse(one, 'eve');
    const { backend } = one.app.get(RedisConnections).get();
    backend.force('memory');
    expect(known(one.app).refusalsKnown).toBe(0);
    expect(await one.limiter.consume('once', 'eve')).toMatchObject({ allowed: true, backend: 'memory' });
    backend.force(null);
    expect(await one.limiter.consume('once', 'eve')).toMatchObject({ allowed: false, backend: 'redis' });
  });

  it('36: three applications at once admit what the limit says, with leases too, and give back what they leased', async () => {
    const all = [await boot({ replicas: 3 }), await boot({ replicas: 3 }), await boot({ replicas: 3 })];
    let admitted = 0;
    let asked = 0;
    const turn = async (count: number) => {
      const decided = all.flatMap(({ limiter }) => Array.from({ length: count }, () => limiter.consume('hot', 'fay')));
      asked += decided.length;
      admitted += (await Promise.all(decided)).filter(({ allowed }) => allowed).length;
    };
    for (let i = 0; i < 300 && (i < 20 || (await metric(all[0]!.app, 'lease')) === 0); i++) {
      await turn(200);
      await turn(1);
    }
    expect(await metric(all[0]!.app, 'lease')).toBeGreaterThan(0);
    expect(admitted).toBe(asked);
    const last = await boot();
    await Promise.all(apps.splice(0, 3).map((app) => app.close()));
    expect((await last.limiter.peek('hot', 'fay')).policies[0]!.remaining).toBe(1_000_000 - asked);
  });
});
