import { Module, type INestApplication, type OnModuleDestroy } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { HealthRegistry, InvalidOptionsError, Metrics, RedisModule, type HealthReport } from '@roost/redis';
import { HealthModule } from './index.js';

/** Slow to stop: readiness must not wait for it. */
@Module({})
class SlowToStop implements OnModuleDestroy {
  static release?: () => void;
  readonly stopping = new Promise<void>((resolve) => (SlowToStop.release = resolve));

  onModuleDestroy(): Promise<void> {
    return this.stopping;
  }
}

const adapters = [
  ['Express', () => new ExpressAdapter()],
  ['Fastify', () => new FastifyAdapter()],
] as const;

describe.each(adapters)('HealthModule on %s', (_, createAdapter) => {
  let app: INestApplication;
  let url: string;

  async function start(...imports: Parameters<typeof Test.createTestingModule>[0]['imports'] & object): Promise<void> {
    const module = await Test.createTestingModule({ imports: [RedisModule.forRoot({}), ...imports] }).compile();
    app = module.createNestApplication(createAdapter(), { logger: false });
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  }

  function contribute(name: string, report: () => HealthReport): void {
    app.get(HealthRegistry).contribute(name, report);
  }

  async function probe(path: string): Promise<[number, Record<string, unknown>]> {
    const response = await fetch(url + path);
    expect(response.headers.get('cache-control')).toBe('no-store');
    return [response.status, (await response.json()) as Record<string, unknown>];
  }

  afterEach(async () => {
    SlowToStop.release?.();
    await app.close();
  });

  it('is alive, started and ready without Redis', async () => {
    await start(HealthModule.forRoot({}));
    expect(await probe('/livez')).toEqual([200, { status: 'ok' }]);
    expect(await probe('/startupz')).toEqual([200, { status: 'ok' }]);
    expect(await probe('/readyz')).toEqual([
      200,
      { status: 'ok', details: { redis: expect.objectContaining({ status: 'up', current: 'memory' }) } },
    ]);
  });

  it('answers 200 `degraded` while an outage policy serves', async () => {
    await start(HealthModule.forRoot({}));
    contribute('cache', () => ({ status: 'degraded', reason: 'timeout' }));
    expect(await probe('/readyz')).toEqual([
      200,
      { status: 'degraded', details: expect.objectContaining({ cache: { status: 'degraded', reason: 'timeout' } }) },
    ]);
    expect(await probe('/livez')).toEqual([200, { status: 'ok' }]);
  });

  it('answers 503 `error` while a part is down, and is alive all the same', async () => {
    await start(HealthModule.forRoot({}));
    contribute('cache', () => ({ status: 'degraded' }));
    contribute('queue', () => ({ status: 'down', reason: 'unreachable' }));
    const [status, body] = await probe('/readyz');
    expect([status, body.status]).toEqual([503, 'error']);
    expect(body.details).toMatchObject({ queue: { status: 'down', reason: 'unreachable' } });
    expect((await probe('/livez'))[0]).toBe(200);
  });

  it('reports a contributor that throws as down, by the class of its error alone', async () => {
    await start(HealthModule.forRoot({}));
    contribute('broken', () => {
      throw new RangeError('redis://admin:hunter2@db-7.internal');
    });
    const [status, body] = await probe('/readyz');
    expect(status).toBe(503);
    expect(body.details).toMatchObject({ broken: { status: 'down', error: 'RangeError' } });
    expect(JSON.stringify(body)).not.toMatch(/hunter2|internal/);
  });

  it('shows no detail that could say where a part runs', async () => {
    await start(HealthModule.forRoot({}));
    const report = {
      host: 'db-7',
      url: 'redis://h',
      reason: 'connect ECONNREFUSED 10.0.0.7:6379',
      error: 'db-7.internal',
    };
    contribute('chatty', () => ({
      status: 'degraded',
      ...report,
      current: 'memory',
      assurance: 'lease+quarantine',
      since: '2026-01-01T00:00:00.000Z',
    }));
    const [, body] = await probe('/readyz');
    expect((body.details as Record<string, unknown>).chatty).toEqual({
      status: 'degraded',
      current: 'memory',
      assurance: 'lease+quarantine',
      since: '2026-01-01T00:00:00.000Z',
    });
  });

  it('reads each report once per probe', async () => {
    await start(HealthModule.forRoot({}));
    const report = jest.fn((): HealthReport => ({ status: 'up' }));
    contribute('counted', report);
    await probe('/readyz');
    await probe('/livez');
    expect(report).toHaveBeenCalledTimes(1);
  });

  it('says `shutting_down` at once, though another module is slow to stop', async () => {
    await start(SlowToStop, HealthModule.forRoot({}));
    const closing = app.close();
    await new Promise(setImmediate);
    const [status, body] = await probe('/readyz');
    expect([status, body.status]).toEqual([503, 'shutting_down']);
    const alive = await fetch(`${url}/livez`);
    expect([alive.status, alive.headers.get('connection')]).toEqual([200, 'close']);
    SlowToStop.release?.();
    await closing;
  });

  it('shows the metrics of this application as Prometheus reads them', async () => {
    await start(HealthModule.forRootAsync({ useFactory: async () => ({ processMetrics: true }) }));
    app.get(Metrics).counter('roost_test_total', 'A test').inc({}, 3);
    const response = await fetch(`${url}/metrics`);
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      expect.stringMatching(/^text\/plain; version=0\.0\.4/),
    ]);
    const text = await response.text();
    expect(text).toMatch(/^roost_test_total 3$/m);
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_p99_seconds',
    ]) {
      expect(Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1])).toBeGreaterThanOrEqual(0);
    }
  });

  it('leaves the process out of the metrics unless asked', async () => {
    await start(HealthModule.forRoot({}));
    expect(await (await fetch(`${url}/metrics`)).text()).not.toContain('process_cpu');
  });
});

it('names every wrong option at boot', async () => {
  const options = { drainMs: -1, closeWithinMs: 0.5, processMetrics: 'yes' as never };
  const boot = Test.createTestingModule({
    imports: [RedisModule.forRoot({}), HealthModule.forRoot(options)],
  }).compile();
  const error = await boot.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(InvalidOptionsError);
  expect((error as InvalidOptionsError).problems).toEqual([
    expect.stringContaining('drainMs'),
    expect.stringContaining('closeWithinMs'),
    expect.stringContaining('processMetrics'),
  ]);
});
