import { ConsoleLogger, type LoggerService } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Backend, HealthRegistry, Metrics, RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import { RateLimiter } from '../rate-limiter.service.js';
import { InvalidRolloutError, UnknownPolicyError } from '../throttle.errors.js';
import { ThrottleModule } from '../throttle.module.js';
import type { ThrottleOptions } from '../throttle.options.js';
import { RateLimitRollout } from './rate-limit.rollout.js';

const KEY = 'roost:{rate}:rate:rollout';
const policies = {
  login: [
    { name: 'user', limit: 2, window: '1h', key: 'user' },
    { name: 'address', limit: 100, window: '1h' },
  ],
  search: { limit: 100, window: '366d', key: 'user', algorithm: 'fixed-window' },
  export: { limit: 10, window: '1h', key: 'user' },
  log: { limit: 10, window: '1h', algorithm: 'sliding-log' },
  monthly: { limit: 10, window: 'month' },
  slots: { limit: 10, window: '1m', algorithm: 'concurrency' },
  failures: { limit: 10, window: '1m', count: 'failure' },
  tiered: { limit: 'byTier', key: 'user' },
  closed: { limit: 1, window: '1h', key: 'user', outage: 'closed' },
} as const satisfies ThrottleOptions['policies'];

describe('RateLimitRollout', () => {
  let server: RedisServer;
  const apps: TestingModule[] = [];
  beforeAll(async () => void (server = await RedisServer.start()));
  beforeEach(async () => {
    server.thaw();
    await server.command('FLUSHALL');
  });
  afterEach(() => Promise.all(apps.splice(0).map((app) => app.close())));
  afterAll(() => server.stop());

  async function boot(
    options: ThrottleOptions = {},
    logger: LoggerService = new ConsoleLogger({ logLevels: [] }),
    url: string | undefined = server.url,
  ) {
    const imports = [
      RedisModule.forRoot({ url, recheckMs: 100, bootWaitMs: 50 }),
      ThrottleModule.forRoot({ policies, tiers: { free: '5/1h' }, tierOf: () => 'free', ...options }),
    ];
    const app = await Test.createTestingModule({ imports }).setLogger(logger).compile();
    await app.init();
    apps.push(app);
    const [rollout, limiter] = [app.get(RateLimitRollout), app.get(RateLimiter)];
    const consume = async (policy: string, subject = 'u') => (await limiter.consume(policy, subject)).allowed;
    const metrics = () => app.get(Metrics).registry.metrics();
    const health = () => app.get(HealthRegistry).reports().throttle!;
    return { app, rollout, limiter, consume, metrics, health, backend: app.get(Backend) };
  }

  describe('the kill switch', () => {
    it('lets everything pass uncounted, in every process, and counts again afterwards', async () => {
      const [one, two] = [await boot(), await boot()];
      for (let i = 0; i < 2; i++) await one.consume('login');
      expect(await two.consume('login')).toBe(false);

      expect(await one.rollout.pause()).toBe('everywhere');
      await eventually(() => two.rollout.state().paused, { within: 1_000 });
      for (const { limiter, metrics, health } of [one, two]) {
        const decision = await limiter.consume('login', 'u');
        expect(decision).toMatchObject({ allowed: true, state: 'allow', violated: [], policies: [] });
        expect(await metrics()).toContain('roost_rate_limit_paused_total{policy="login.user"} 1');
        expect(health()).toMatchObject({ status: 'degraded', paused: true });
      }

      expect(await two.rollout.resume()).toBe('everywhere');
      await eventually(() => !one.rollout.state().paused, { within: 1_000 });
      expect([await one.consume('login'), await one.consume('search')]).toEqual([false, true]);
      expect(one.health()).toMatchObject({ status: 'up', paused: false });
    });

    it('lets pass what is closed in an outage, too', async () => {
      const lost = await boot({}, undefined, 'redis://127.0.0.1:1');
      expect(await lost.consume('closed')).toBe(false);
      expect(await lost.rollout.pause()).toBe('here');
      expect(await lost.consume('closed')).toBe(true);
    });

    it('is told loudly, once', async () => {
      const lines: unknown[][] = [];
      const at =
        (level: string) =>
        (...[message, details]: unknown[]) =>
          void lines.push([level, message, (details as { event?: string })?.event]);
      const logger = { log: at('log'), warn: at('warn'), error: at('error') };
      const { rollout } = await boot({}, logger);
      await rollout.pause();
      await rollout.pause();
      const paused = lines.filter(([, , event]) => event === 'throttle.paused');
      expect(paused).toEqual([['error', expect.stringContaining('PAUSED'), 'throttle.paused']]);
    });
  });

  describe('limits changed while running', () => {
    it('20: keep what was used, and compute anew what remains', async () => {
      const { limiter, rollout } = await boot();
      const remaining = async () => (await limiter.consume('search', 'u')).policies[0]!.remaining;
      const seen = [await remaining(), await remaining()];
      await rollout.setLimit('search', { limit: 10 });
      seen.push(await remaining(), await remaining());
      await rollout.setLimit('search', { limit: 200 });
      seen.push(await remaining());
      expect(seen).toEqual([99, 98, 7, 6, 195]);
    });

    it('20: forget who was known to be refused, in every process', async () => {
      const [one, two] = [await boot(), await boot()];
      const known = () => [one, two].map(({ health }) => health()['refusalsKnown']);
      await one.limiter.consume('search', 'u', { cost: 100 });
      await eventually(
        async () => {
          await Promise.all([one.consume('search'), two.consume('search')]);
          expect(known()).toEqual([1, 1]);
        },
        { within: 2_000 },
      );
      await one.rollout.setLimit('search', { limit: 200 });
      await eventually(() => expect(known()).toEqual([0, 0]), { within: 1_000 });
      expect([await one.consume('search'), await two.consume('search')]).toEqual([true, true]);
    });

    it.each(['search', 'export'])('21: below what was used, %s refuses and never shows less than 0', async (policy) => {
      const { limiter, rollout } = await boot();
      for (let i = 0; i < 7; i++) await limiter.consume(policy, 'u');
      await rollout.setLimit(policy, { limit: 5 });
      const decision = await limiter.consume(policy, 'u');
      expect([decision.allowed, decision.policies[0]!.limit]).toEqual([policy === 'export', 5]);
      expect(decision.policies[0]!.remaining).toBeGreaterThanOrEqual(0);
    });

    it('apply in every process, also the window', async () => {
      const [one, two] = [await boot(), await boot()];
      await one.rollout.setLimit('login.user', { limit: 1, window: '2h' });
      await eventually(() => two.rollout.state().limits['login.user'] !== undefined, { within: 1_000 });
      expect(two.rollout.state().limits).toEqual({ 'login.user': { limit: 1, windowMs: 7_200_000 } });
      expect([await two.consume('login'), await two.consume('login')]).toEqual([true, false]);
      await two.rollout.reset();
      await eventually(() => one.rollout.state().limits['login.user'] === undefined, { within: 1_000 });
      expect((await one.limiter.peek('login', 'u')).policies[0]).toMatchObject({ limit: 2, windowMs: 3_600_000 });
    });
  });

  it('81: a shadow changes nothing but a metric, and is counted apart', async () => {
    const [plain, { consume, limiter, rollout, metrics }] = [await boot(), await boot()];
    for (let i = 0; i < 2; i++) await plain.consume('login');
    await rollout.setMode('login.user', 'shadow');
    const decisions = [];
    for (let i = 0; i < 3; i++) decisions.push(await limiter.consume('login', 'u'));
    expect(decisions.map(({ allowed, policies }) => [allowed, policies.map(({ policy }) => policy)])).toEqual(
      Array.from({ length: 3 }, () => [true, ['login.address']]),
    );
    await eventually(async () => (await metrics()).includes('would_reject_total{policy="login.user"} 1'), {
      within: 1_000,
    });
    await rollout.setMode('login', 'enforce');
    expect(await consume('login')).toBe(false);
    expect(await server.keys('*gcra:login.user*')).toHaveLength(2);
  });

  describe('orders', () => {
    it('of several processes are all kept, and outlive restarts', async () => {
      const [one, two] = [await boot(), await boot()];
      await Promise.all([
        one.rollout.setCanaryPercent(50),
        two.rollout.setMode('export', { canary: 0.25 }),
        one.rollout.setLimit('search', { limit: 7 }),
        two.rollout.setMode('search', 'shadow'),
      ]);
      const three = await boot();
      const all = {
        canaryPercent: 50,
        modes: { export: { canary: 0.25 }, search: 'shadow' },
        limits: { search: { limit: 7 } },
      };
      for (const { rollout } of [one, two, three]) {
        await eventually(() => expect(rollout.state()).toMatchObject(all), { within: 1_000 });
      }
      expect(Number(await server.command('PTTL', KEY))).toBeGreaterThan(29 * 86_400_000);
    });

    it('given while Redis is lost apply here, and are written when it is back', async () => {
      const [one, two] = [await boot(), await boot()];
      one.backend.force('memory');
      expect(await one.rollout.setCanaryPercent(25)).toBe('here');
      expect(await two.rollout.setMode('export', 'shadow')).toBe('everywhere');
      expect([one.rollout.state().canaryPercent, two.rollout.state().canaryPercent]).toEqual([25, 100]);
      one.backend.force(null);
      const both = { canaryPercent: 25, modes: { export: 'shadow' } };
      for (const { rollout } of [one, two]) {
        await eventually(() => expect(rollout.state()).toMatchObject(both), { within: 1_000 });
      }
    });

    it('are found without an announcement', async () => {
      await server.command('SET', KEY, JSON.stringify({ version: 1, orders: { paused: true } }), 'PX', '60000');
      const { rollout } = await boot();
      await eventually(() => rollout.state().paused, { within: 1_000 });
    });

    it('that Redis lost are written anew', async () => {
      const { rollout } = await boot();
      await rollout.setMode('export', 'shadow');
      await server.command('FLUSHALL');
      const other = await boot();
      await other.rollout.setMode('search', 'shadow');
      await eventually(() => expect(rollout.state().modes).toHaveProperty('search'), { within: 1_000 });
    });

    it.each(['no json', '[]', '{"orders":[1]}', '"x"'])('of %p are ignored, with one line', async (text) => {
      const lines: string[] = [];
      const error = (message: string) => void lines.push(message);
      await server.command('SET', KEY, text, 'PX', '60000');
      const { rollout, consume } = await boot({}, { log: () => {}, warn: () => {}, error });
      await eventually(() => lines.length > 0, { within: 1_000 });
      expect(lines).toEqual([expect.stringMatching(/No JSON of ours/)]);
      expect([rollout.state().paused, await consume('export')]).toEqual([false, true]);
      expect(await rollout.setMode('export', 'shadow')).toBe('everywhere');
      expect(JSON.parse(String(await server.command('GET', KEY)))).toMatchObject({
        orders: { 'mode:export': 'shadow' },
      });
    });

    it('that make no sense are left out, the others not', async () => {
      const orders = {
        paused: 'yes',
        canary: { percent: 101, id: 'x' },
        'mode:export': 'shadow',
        'limit:search': {},
        x: 1,
      };
      await server.command('SET', KEY, JSON.stringify({ version: 1, orders }), 'PX', '60000');
      const { rollout } = await boot();
      await eventually(() => expect(rollout.state().modes).toEqual({ export: 'shadow' }), { within: 1_000 });
      expect(rollout.state()).toMatchObject({ paused: false, canaryPercent: 100, limits: {} });
    });

    it.each(['60000000', null, 1.5, 1_500, 0, []])(
      'with the window %p are left out: limits go on',
      async (windowUs) => {
        const orders = { 'limit:export': { limit: 0, windowUs }, 'mode:search': 'shadow' };
        await server.command('SET', KEY, JSON.stringify({ version: 1, orders }), 'PX', '60000');
        const { rollout, consume } = await boot();
        await eventually(() => expect(rollout.state().modes).toEqual({ search: 'shadow' }), { within: 1_000 });
        expect([rollout.state().limits, await consume('export')]).toEqual([{}, true]);
      },
    );

    it('never touch a Redis that is not to be used', async () => {
      const { rollout, consume } = await boot({ backend: 'memory' });
      expect(await rollout.setMode('login', 'shadow')).toBe('here');
      for (let i = 0; i < 3; i++) expect(await consume('login')).toBe(true);
      expect(await server.keys('*rate*')).toEqual([]);
    });
  });

  describe('refuses', () => {
    it.each([-1, 101, NaN, '50', undefined])('%p as a percentage', async (percent) => {
      const { rollout } = await boot({ backend: 'memory' });
      const refused = rollout.setCanaryPercent(percent as number);
      await expect(refused).rejects.toThrow(RangeError);
      await expect(refused).rejects.toMatchObject({ code: 'throttle.invalid-rollout' });
      expect(rollout.state().canaryPercent).toBe(100);
    });

    it.each(['off', undefined, null, { canary: 2 }, {}])('%p as a mode', async (mode) => {
      const { rollout } = await boot({ backend: 'memory' });
      await expect(rollout.setMode('export', mode as 'shadow')).rejects.toThrow(InvalidRolloutError);
    });

    it.each(['slots', 'failures'])('a trial of %s, whose charges are settled by requests', async (policy) => {
      const { rollout } = await boot({ backend: 'memory' });
      await expect(rollout.setMode(policy, 'shadow')).rejects.toThrow(InvalidRolloutError);
    });

    it.each([
      ['export', { limit: -1 }],
      ['export', { limit: 1.5 }],
      ['export', { limit: 1, window: 'soon' }],
      ['export', { limit: 1, window: '400d' }],
      ['log', { limit: 10_001 }],
      ['monthly', { limit: 1, window: '1h' }],
      ['login', { limit: 1 }],
      ['tiered', { limit: 1 }],
    ])('as a change of %s: %p', async (policy, change) => {
      const { rollout } = await boot({ backend: 'memory' });
      await expect(rollout.setLimit(policy, change as { limit: number })).rejects.toThrow(InvalidRolloutError);
      expect(rollout.state().limits).toEqual({});
    });

    it('policies that nobody knows', async () => {
      const { rollout } = await boot({ backend: 'memory' });
      await expect(rollout.setMode('logn', 'shadow')).rejects.toThrow(UnknownPolicyError);
    });
  });
});
