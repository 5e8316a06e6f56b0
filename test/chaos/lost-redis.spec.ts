import { eventually, RedisServer, ServiceProcess } from '@roost/testing';
import { COUNTED, Fleet, ready } from './fleet.js';
import { ask, count, Load, quantile, slowest, statuses } from './load.js';

/** The promise of the README: no answer slower than this when Redis freezes, and none slower than usual after that. */
const SLOWEST_MS = 400;
const DEGRADED = 'PRODUCTION DEGRADED: Redis unavailable. Using in-memory fallback (single-instance only).';
const said = (service: ServiceProcess, message: string) =>
  service.logs.filter((line) => line['message'] === message).length;

describe('Redis is lost under load', () => {
  let fleet: Fleet;
  let load: Load;
  beforeEach(async () => {
    fleet = await Fleet.start({ env: COUNTED });
    // So few callers that what they were granted has not drained by itself before Redis can be told of it.
    load = new Load(fleet.services, 200, (n) => `pro-${n % 5}`);
    await load.during(500);
  });
  afterEach(async () => {
    await load.stop();
    await fleet.stop();
  });

  it('T1, T3 frozen and thawed: no 5xx, nothing slow, said once, degraded, back within seconds', async () => {
    const usual = await load.during(1_000);
    fleet.server.freeze();
    const noticing = await load.during(1_000);
    expect(statuses(noticing)).toEqual([200]);
    expect(slowest(noticing)).toBeLessThan(SLOWEST_MS);
    expect(await fleet.backends()).toEqual(['memory', 'memory']);

    // Who waits for a Redis that is lost waits in each of these; what else the machine does passes.
    const windows = [await load.during(700), await load.during(700), await load.during(700)];
    expect(statuses(windows.flat())).toEqual([200]);
    const after = windows.toSorted((a, b) => quantile(a, 0.95) - quantile(b, 0.95))[0]!;
    expect(quantile(after, 0.95)).toBeLessThan(Math.max(50, 3 * quantile(usual, 0.95)));
    expect(slowest(after)).toBeLessThan(240); // nobody waits for a deadline any more
    expect((await ready(fleet.one)).status).toBe('degraded');
    expect((await fleet.one.fetch('/readyz')).status).toBe(200);
    expect(fleet.services.map((service) => said(service, DEGRADED))).toEqual([1, 1]);

    fleet.server.thaw();
    const thawedAt = performance.now();
    await eventually(() => fleet.allOn('redis'), { within: 5_000 });
    expect(performance.now() - thawedAt).toBeLessThan(5_000);
    const back = await load.during(500);
    expect(statuses(back)).toEqual([200]);
    expect((await ready(fleet.one)).status).toBe('ok');
    expect(fleet.services.map((service) => said(service, 'Redis rate limiting backend connected'))).toEqual([2, 2]);
  });

  it('T4 killed and restarted empty: no 5xx, nothing slow, nothing executed that its caller gave up', async () => {
    await fleet.server.kill();
    const dead = await load.during(2_000);
    expect(statuses(dead)).toEqual([200]);
    expect(slowest(dead)).toBeLessThan(SLOWEST_MS);
    expect(await fleet.backends()).toEqual(['memory', 'memory']);
    expect(fleet.services.map((service) => said(service, DEGRADED))).toEqual([1, 1]);

    await load.stop();
    await fleet.server.restart();
    await eventually(() => fleet.allOn('redis'), { within: 8_000 });
    // No traffic: each charges what it granted alone, in one call, and looks once what locks survive in this Redis.
    // Whatever ran besides would be a ghost.
    const own = 2 * fleet.services.length;
    await eventually(async () => (await fleet.executed()) >= own, { within: 5_000 });
    expect((await ask(fleet.one, 'pro-x')).status).toBe(200);
    expect(await fleet.executed()).toBe(own + 1); // the script was loaded again by itself
  });
});

describe('Redis is lost before the service starts', () => {
  it('T2 frozen: boots within its bound, on memory, and limits', async () => {
    const server = await RedisServer.start();
    server.freeze();
    const startedAt = performance.now();
    const service = await ServiceProcess.start({
      entry: 'dist/main.js',
      env: { REDIS_URL: server.url, DATABASE_URL: 'memory:', NODE_ENV: 'production', ROOST_DRAIN_MS: '0' },
    });
    expect(performance.now() - startedAt).toBeLessThan(6_000);
    expect(await ready(service)).toMatchObject({ status: 'degraded', details: { redis: { current: 'memory' } } });
    expect(await count([service], 110, () => 'free-1')).toEqual({ 200: 100, 429: 10 });
    await service.stop();
    await server.stop();
  });
});

describe('the service is stopped while Redis is frozen', () => {
  it('T20 exits by itself, with requests in flight answered', async () => {
    const fleet = await Fleet.start({ instances: 1 });
    fleet.server.freeze();
    const inFlight = Array.from({ length: 8 }, (_, n) => ask(fleet.one, `pro-${n}`));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const startedAt = performance.now();
    fleet.one.signal('SIGTERM');
    expect((await Promise.all(inFlight)).map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect((await fleet.one.exited).code).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    await fleet.stop();
  });
});
