import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { Announcer } from './announcer.js';
import { RedisMetrics } from './connection-metrics.js';
import { defineKey, Metrics, RedisConnection, RedisNotConfiguredError, RedisTimeoutError } from './index.js';
import { resolveRedisOptions, type RedisModuleOptions } from './redis.options.js';
import { connect, type Connected } from './testing.js';

const item = defineKey('test:item:{id}', { ttl: '1m', maxBytes: 100 });
const key = item.of({ id: 'a' });

describe('RedisConnection.dedicated', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  let redis: Connected;
  beforeEach(async () => {
    server = await RedisServer.start();
    proxy = await FaultProxy.start({ target: server });
    redis = await connect({ url: proxy.url, heartbeatMs: 500, recheckMs: 500 });
  });
  afterEach(async () => {
    await redis.close();
    await proxy.stop();
    await server.stop();
  });

  /** The server's numbers of the sockets that these commands travel on. */
  const idOf = (commands: Connected['commands']) => commands.write<number>('CLIENT', 'ID');
  const failureOf = (call: Promise<unknown>) =>
    call.then(
      () => undefined,
      (error: Error) => error,
    );

  it('travels on two sockets of its own, with the prefix of the connection', async () => {
    const { commands, again } = redis.connection.dedicated('locks');
    const ids = await Promise.all([commands, again, redis.commands].map(idOf));
    expect(new Set(ids).size).toBe(3);
    expect(await commands.read('CLIENT', 'ID')).toBe(ids[0]);
    await commands.write('SET', key, '1', 'PX', 60_000);
    expect(await server.keys('*item*')).toEqual([`${redis.connection.keyPrefix}:test:item:a`]);
  });

  it('reconnects after its socket was killed, and no breaker opens for it', async () => {
    const { commands, again } = redis.connection.dedicated('locks');
    const id = await idOf(commands);
    for (let round = 0; round < 3; round++) {
      await server.command('CLIENT', 'KILL', 'ID', await idOf(commands));
      for (let tries = 0; tries < 10; tries++) {
        const failure = await failureOf(commands.write('PING'));
        if (failure) expect(failure).toMatchObject({ errorClass: 'unreachable' });
      }
      expect(await again.write('PING')).toBe('PONG');
      await eventually(() => commands.write('PING').then(() => true), { within: 2_000 });
    }
    expect(await idOf(commands)).not.toBe(id);
    expect(redis.backend.choose('write')).toBe('redis');
    expect(await redis.metrics.registry.metrics()).toContain(
      'roost_redis_reconnects_total{connection="default",role="locks"}',
    );
  });

  it('gives up at its deadline when Redis is frozen, and the breaker learns of it', async () => {
    const { commands } = redis.connection.dedicated('locks');
    await commands.write('PING');
    server.freeze();
    const startedAt = performance.now();
    const failures = await Promise.all(Array.from({ length: 20 }, () => failureOf(commands.write('PING'))));
    expect(performance.now() - startedAt).toBeLessThan(450);
    expect(failures[0]).toBeInstanceOf(RedisTimeoutError);
    expect(redis.backend.choose('write')).toBe('memory');
    server.thaw();
    await eventually(() => commands.write('PING').then(() => true), { within: 3_000 });
  });

  it('fails at once while it is cut off, and nothing of it runs later', async () => {
    const { commands } = redis.connection.dedicated('locks');
    await commands.write('PING');
    await proxy.refuse();
    await eventually(async () => ((await failureOf(commands.write('PING'))) as { outcomeUnknown?: boolean })?.outcomeUnknown === false, { within: 1_000 }); // prettier-ignore
    const startedAt = performance.now();
    const failure = await failureOf(commands.write('SET', key, 'late', 'PX', 60_000));
    expect(performance.now() - startedAt).toBeLessThan(30);
    expect(failure).toMatchObject({ code: 'redis.unavailable', outcomeUnknown: false });
    await proxy.pass();
    await eventually(() => commands.write('PING').then(() => true), { within: 5_000 });
    expect(await server.keys('*item*')).toEqual([]);
  });

  it('waits for its first opening within the deadline of the command, and no longer', async () => {
    await proxy.delay(30);
    const patient = fresh({ url: proxy.url, commandTimeoutMs: 5_000 });
    expect(await patient.dedicated('locks').commands.write('PING')).toBe('PONG');
    await patient.close();

    await proxy.blackhole();
    const dark = redis.connection.dedicated('dark');
    const startedAt = performance.now();
    const failure = await failureOf(dark.commands.write('PING'));
    const tookMs = performance.now() - startedAt;
    expect(failure).toMatchObject({ code: 'redis.unavailable', outcomeUnknown: false });
    expect(tookMs).toBeGreaterThan(200);
    expect(tookMs).toBeLessThan(450);
  });

  it('does not wait a second time for what could not be opened', async () => {
    await proxy.refuse();
    const { commands } = redis.connection.dedicated('locks');
    await failureOf(commands.write('PING'));
    const startedAt = performance.now();
    await failureOf(commands.write('PING'));
    expect(performance.now() - startedAt).toBeLessThan(30);
  });

  it('opens with the other connections, so that its first command need not', async () => {
    const connection = fresh({ url: server.url });
    connection.dedicated('locks');
    expect(String(await server.command('CLIENT', 'LIST')).match(/name=roost:locks-test/g)).toBeNull();
    connection.open();
    await eventually(
      async () => String(await server.command('CLIENT', 'LIST')).match(/name=roost:locks-test/g)?.length === 3,
      { within: 2_000 },
    );
    await connection.close();
  });

  it('lets a feature finish before any socket closes', async () => {
    const seen: unknown[] = [];
    const { commands } = redis.connection.dedicated('locks');
    redis.connection.beforeClose(async () => {
      seen.push(await commands.write('SET', key, 'done', 'PX', 60_000), await redis.commands.read('GET', key));
      await redis.pubsub.publish('news', 'bye');
    });
    redis.connection.beforeClose(() => Promise.reject(new Error('not possible')));
    await redis.close();
    expect(seen).toEqual(['OK', 'done']);
    await redis.close();
    expect(seen).toHaveLength(2);
    await expect(commands.write('PING')).rejects.toMatchObject({ outcomeUnknown: false });
    await eventually(async () => !String(await server.command('CLIENT', 'LIST')).includes('name=roost:default'), {
      within: 1_000,
    });
  });

  it('says that there is no Redis when none is configured, and still lets a feature finish', async () => {
    const none = fresh({});
    let finished = false;
    const { commands, again } = none.dedicated('locks');
    none.beforeClose(async () => void (finished = true));
    await expect(commands.write('PING')).rejects.toBeInstanceOf(RedisNotConfiguredError);
    await expect(again.write('PING')).rejects.toBeInstanceOf(RedisNotConfiguredError);
    await none.close();
    expect(finished).toBe(true);
  });
});

function fresh(options: RedisModuleOptions): RedisConnection {
  const resolved = resolveRedisOptions(options);
  const logger = { log() {}, warn() {}, error() {} };
  const announcer = new Announcer(logger, false);
  const context = { ...resolved, announcer, logger, metrics: new RedisMetrics(new Metrics()) };
  return new RedisConnection('locks-test', resolved.connections.get('default')!, context);
}
