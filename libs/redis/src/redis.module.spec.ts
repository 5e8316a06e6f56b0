import { Injectable, Module, type INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { eventually, RedisServer } from '@roost/testing';
import { Redis } from 'ioredis';
import {
  Backend,
  defineKey,
  defineScript,
  HealthRegistry,
  InjectBackend,
  InjectRedis,
  Metrics,
  RedisConnections,
  RedisModule,
  RedisNotConfiguredError,
  RedisRequiredError,
  type RedisModuleOptions,
} from './index.js';

const counter = defineKey('test:counter:{id}', { ttl: '1m', maxBytes: 20 });
const increment = defineScript('test.increment', {
  keys: ['counter'],
  args: ['by'],
  reply: Number,
  lua: `local n = redis.call('INCRBY', KEYS[1], ARGV[1]) redis.call('PEXPIRE', KEYS[1], 60000) return n`,
});

const apps: INestApplicationContext[] = [];
async function boot(options: RedisModuleOptions, providers: (new (...args: never[]) => unknown)[] = []) {
  const module = await Test.createTestingModule({ imports: [RedisModule.forRoot(options)], providers })
    .setLogger({ log() {}, warn() {}, error() {} })
    .compile();
  apps.push(module);
  await module.init();
  return module;
}

describe('RedisModule', () => {
  let server: RedisServer;
  beforeAll(async () => (server = await RedisServer.start()));
  afterAll(() => server.stop());
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  it('is on Redis when the application has started', async () => {
    const app = await boot({ url: server.url });
    const backend = app.get(Backend);
    expect([backend.current, backend.reason, backend.choose('write')]).toEqual(['redis', null, 'redis']);
    expect(app.get(HealthRegistry).reports()).toMatchObject({ redis: { status: 'up', current: 'redis' } });
  });

  it('starts in memory without a Redis, and features stay off the network', async () => {
    const backend = (await boot({})).get(Backend);
    expect([backend.current, backend.reason, backend.choose('write', 'x')]).toEqual([
      'memory',
      'not_configured',
      'memory',
    ]);
    await expect(backend.commands.read('PING')).rejects.toBeInstanceOf(RedisNotConfiguredError);
  });

  it('does not touch Redis when told to stay in memory', async () => {
    const backend = (await boot({ url: 'redis://127.0.0.1:1', backend: 'memory' })).get(Backend);
    expect([backend.current, backend.reason]).toEqual(['memory', 'configured']);
  });

  it('starts at once on memory when Redis refuses, and takes Redis up when it comes', async () => {
    const late = await RedisServer.start();
    await late.kill();
    const startedAt = performance.now();
    const app = await boot({ url: late.url, recheckMs: 1_000 });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(app.get(Backend).current).toBe('memory');
    expect(app.get(HealthRegistry).reports()).toMatchObject({ redis: { status: 'degraded', reason: 'unreachable' } });
    await late.restart();
    await eventually(() => app.get(Backend).current === 'redis', { within: 8_000 });
    await late.stop();
  });

  it('starts on memory within its bound when Redis is frozen', async () => {
    const frozen = await RedisServer.start();
    frozen.freeze();
    const startedAt = performance.now();
    const app = await boot({ url: frozen.url, bootWaitMs: 500 });
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    expect(app.get(Backend).current).toBe('memory');
    await frozen.stop();
  });

  it('refuses to start without a Redis that is required', async () => {
    const gone = boot({ url: 'redis://user:S3CRET@127.0.0.1:1', backend: 'redis', bootWaitMs: 300 });
    await expect(gone).rejects.toThrow(RedisRequiredError);
    await expect(gone).rejects.toThrow(/ECONNREFUSED[\s\S]*REDIS_URL/);
    await expect(gone).rejects.not.toThrow(/S3CRET/);
  });

  it('waits for a required Redis that is just starting', async () => {
    const late = await RedisServer.start();
    await late.kill();
    const app = boot({ url: late.url, backend: 'redis', bootWaitMs: 5_000 });
    await late.restart();
    expect((await app).get(Backend).current).toBe('redis');
    await late.stop();
  });

  it('keeps two applications in one process apart', async () => {
    const [one, other] = await Promise.all([
      boot({ url: server.url, keyPrefix: 'one' }),
      boot({ url: server.url, keyPrefix: 'other' }),
    ]);
    const count = (app: INestApplicationContext) =>
      app.get(Backend).commands.run(increment, { counter: counter.of({ id: 'apart' }) }, { by: 1 });
    expect(await Promise.all([count(one), count(other)])).toEqual([1, 1]);
    one.get(Backend).force('memory');
    expect(other.get(Backend).current).toBe('redis');
    await one.close();
    expect(await count(other)).toBe(2);
    expect(await one.get(Metrics).registry.metrics()).toContain('roost_backend_active');
  });

  it('injects raw clients and backends by name, also from an async factory', async () => {
    @Injectable()
    class Uses {
      constructor(
        @InjectRedis() readonly main: Redis,
        @InjectRedis('locks') readonly locks: Redis,
        @InjectBackend('locks') readonly backend: Backend,
      ) {}
    }
    @Module({
      imports: [
        RedisModule.forRootAsync({
          connectionNames: ['locks'],
          useFactory: () => ({ url: server.url, connections: { locks: { url: `${server.url}/1` } } }),
        }),
      ],
      providers: [Uses],
    })
    class App {}
    const app = await Test.createTestingModule({ imports: [App] }).compile();
    apps.push(app);
    await app.init();
    const { main, locks, backend } = app.get(Uses);
    await main.set('db', 'zero');
    await locks.set('db', 'one');
    expect([await main.get('db'), await locks.get('db'), backend.connection]).toEqual(['zero', 'one', 'locks']);
    expect(() => app.get(RedisConnections).get('none')).toThrow(/There is no connection.*default, locks/);
  });

  it('opens no connection for a raw client that nobody uses, and says so when there is no Redis', async () => {
    const app = await boot({ url: server.url, keyPrefix: 'census' });
    expect(String(await server.command('CLIENT', 'LIST')).match(/name=roost:default/g)).toHaveLength(1);
    expect(app.get(RedisConnections).get().raw.status).toBe('wait');
    const bare = (await boot({})).get(RedisConnections).get().raw;
    await expect(bare.get('x')).rejects.toBeInstanceOf(RedisNotConfiguredError);
  });

  it('lets the first commands of a raw client wait for its connection, and blocking ones as long as they like', async () => {
    const { raw } = (await boot({ url: server.url })).get(RedisConnections).get();
    expect(await Promise.all([raw.set('raw', '1'), raw.get('raw'), raw.multi().incr('raw').exec()])).toEqual([
      'OK',
      '1',
      [[null, 2]],
    ]);
    const waited = raw.blpop('raw:list', 0);
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    await server.command('RPUSH', 'raw:list', 'x');
    expect(await waited).toEqual(['raw:list', 'x']);
  });

  it('gives up what a raw client asks of a frozen Redis, and runs nothing of it later', async () => {
    const frozen = await RedisServer.start();
    frozen.freeze();
    const { raw } = (await boot({ url: frozen.url })).get(RedisConnections).get();
    await expect(raw.incr('ghost')).rejects.toThrow(/timed out|max retries|closed/);
    frozen.thaw();
    await eventually(() => raw.ping(), { within: 5_000 });
    expect(await raw.get('ghost')).toBeNull();
    await frozen.stop();
  });

  it('settles what a blocking client had sent when its socket breaks, and ends it with the application', async () => {
    const gone = await RedisServer.start();
    const app = await boot({ url: gone.url });
    const client = app.get(RedisConnections).get().blockingClient();
    await client.ping();
    const waiting = client.blpop('nothing', 0).catch((error: Error) => error.message);
    await gone.kill();
    expect(await waiting).toMatch(/closed/);
    const queued = client.set('x', 'y').catch((error: Error) => error.message);
    await app.close();
    expect(await queued).toMatch(/closed/);
    await gone.stop();
  });

  it('boots whatever was ordered before, and is on Redis when the order is taken back', async () => {
    for (const order of ['memory', 'redis'] as const) {
      const module = await Test.createTestingModule({ imports: [RedisModule.forRoot({ url: server.url })] })
        .setLogger({ log() {}, warn() {}, error() {} })
        .compile();
      apps.push(module);
      module.get(Backend).force(order);
      await module.init();
      expect(module.get(Backend).current).toBe(order);
      module.get(Backend).force(null);
      expect(module.get(Backend).current).toBe('redis');
    }
  });

  it('refuses options that do not exist', async () => {
    await expect(boot({ urll: server.url } as RedisModuleOptions)).rejects.toThrow(/no option `urll`/);
  });

  it('leaves Redis alone once it is closed, whatever still calls', async () => {
    const app = await boot({ url: server.url });
    const { commands } = app.get(Backend);
    await app.close();
    for (let i = 0; i < 6; i++) await commands.write('PING').catch(() => undefined);
    const received = async () =>
      Number(/total_connections_received:(\d+)/.exec(String(await server.command('INFO', 'stats')))![1]);
    const before = await received();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect((await received()) - before).toBe(1); // the question itself
  });

  it('never closes a client that the application brought', async () => {
    const client = new Redis(server.url);
    const app = await boot({ client });
    expect(app.get(RedisConnections).get().raw).toBe(client);
    expect(app.get(Backend).current).toBe('redis');
    await app.close();
    expect(await client.ping()).toBe('PONG');
    client.disconnect();
  });

  it('closes within a second although Redis is frozen', async () => {
    const frozen = await RedisServer.start();
    const app = await boot({ url: frozen.url });
    frozen.freeze();
    const hanging = app.get(Backend).commands.write('SET', counter.of({ id: 'x' }), 'y', 'PX', 1_000);
    const settled = hanging.catch((error: Error) => error.name);
    const startedAt = performance.now();
    await app.close();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(await settled).toMatch(/Redis(Timeout|Unavailable)Error/);
    await frozen.stop();
  });

  it('leaves no connection behind when it is closed', async () => {
    const app = await boot({ url: server.url });
    await app
      .get(RedisConnections)
      .get()
      .pubsub.subscribe('x', () => undefined);
    await app.get(Backend).commands.read('PING');
    await app.close();
    await eventually(async () => !String(await server.command('CLIENT', 'LIST')).includes('name=roost:'), {
      within: 2_000,
    });
  });
});
