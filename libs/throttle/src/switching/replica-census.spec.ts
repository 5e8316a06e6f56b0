import { ConsoleLogger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Backend, HealthRegistry, Metrics, RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import { ThrottleModule } from '../throttle.module.js';
import { ReplicaCensus } from './replica-census.js';

const silent = new ConsoleLogger({ logLevels: ['fatal'] });

describe('ReplicaCensus', () => {
  let server: RedisServer;
  const apps: TestingModule[] = [];
  beforeAll(async () => void (server = await RedisServer.start()));
  beforeEach(() => server.command('FLUSHALL'));
  afterEach(() => Promise.all(apps.splice(0).map((app) => app.close())));
  afterAll(() => server.stop());

  async function boot(replicas?: number): Promise<TestingModule> {
    const imports = [RedisModule.forRoot({ url: server.url }), ThrottleModule.forRoot({ replicas })];
    const app = await Test.createTestingModule({ imports }).setLogger(silent).compile();
    await app.init();
    apps.push(app);
    return app;
  }
  const registered = async () => Number(await server.command('ZCARD', 'roost:{rate}:rate:replicas'));
  const shown = (app: TestingModule) => app.get(HealthRegistry).reports().throttle!['replicas'];

  /** One process' census, taken by hand, on a clock of the test's own. */
  function census(backend: Backend, atLeast = 1) {
    let now = 0;
    const bugs: unknown[] = [];
    const taken = new ReplicaCensus(backend, {
      atLeast,
      everyMs: 60_000_000,
      onBug: (error) => bugs.push(error),
      now: () => now,
    });
    return { taken, bugs, pass: (ms: number) => void (now += ms) };
  }

  it('counts applications, two in one process as two, and says so', async () => {
    const [one, two] = [await boot(), await boot()];
    await eventually(async () => (await registered()) === 2, { within: 2_000 });
    await Promise.all([one, two].map((app) => app.get(ReplicaCensus).take()));
    expect([shown(one), shown(two)]).toEqual([2, 2]);
    expect(await one.get(Metrics).registry.metrics()).toContain('roost_rate_limit_replicas 2');
  });

  it('never counts fewer than the option says', async () => {
    const app = await boot(4);
    await eventually(async () => (await registered()) === 1, { within: 2_000 });
    await app.get(ReplicaCensus).take();
    expect(shown(app)).toBe(4);
  });

  it('deregisters who shuts down, and forgets who is silent', async () => {
    const app = await boot();
    await eventually(async () => (await registered()) === 1, { within: 2_000 });
    const old = Date.now() - 16_000;
    await server.command('ZADD', 'roost:{rate}:rate:replicas', String(old), 'dead', String(old + 3_000), 'late');
    await app.get(ReplicaCensus).take();
    expect(await registered()).toBe(2);
    await app.close();
    expect(await server.command('ZRANGE', 'roost:{rate}:rate:replicas', '0', '-1')).toEqual(['late']);
  });

  it('leaves a key that expires', async () => {
    await boot();
    await eventually(async () => Number(await server.command('PTTL', 'roost:{rate}:rate:replicas')) > 50_000, {
      within: 2_000,
    });
  });

  it('keeps the count while Redis is lost, and holds it until others had the time to come back', async () => {
    const { taken, pass } = census((await boot()).get(Backend), 2);
    taken.start();
    for (const id of ['b', 'c', 'd']) {
      await server.command('ZADD', 'roost:{rate}:rate:replicas', String(Date.now()), id);
    }
    await taken.take();
    const before = taken.replicas;
    const backend = apps[0]!.get(Backend);
    backend.force('memory');
    await taken.take();
    expect(taken.replicas).toBe(before);
    await server.command('FLUSHALL'); // Redis comes back empty
    backend.force(null);
    await taken.take();
    expect(taken.replicas).toBe(before);
    pass(15_000);
    await taken.take();
    expect(taken.replicas).toBe(2);
    await taken.stop();
  });

  it('takes a foreign value for a bug, not for an outage, and goes on', async () => {
    await server.command('SET', 'roost:{rate}:rate:replicas', 'foreign');
    const { taken, bugs } = census((await boot()).get(Backend), 3);
    taken.start();
    await eventually(() => bugs.length > 0, { within: 2_000 });
    expect(taken.replicas).toBe(3);
    expect(await server.command('GET', 'roost:{rate}:rate:replicas')).toBe('foreign');
    await taken.stop();
  });
});
