import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { defineKey } from './index.js';
import { connect, type Connected } from './testing.js';

const item = defineKey('test:item:{id}', { ttl: '1m', maxBytes: 100 });
const key = item.of({ id: 'x' });
const write = (redis: Connected) => redis.commands.write('SET', key, 'x', 'PX', 60_000).catch((error: Error) => error);
const untilRedis = (redis: Connected) => eventually(() => redis.backend.current === 'redis', { within: 10_000 });
const untilMemory = (redis: Connected) =>
  eventually(
    async () => {
      await write(redis);
      return redis.backend.current === 'memory';
    },
    { within: 5_000 },
  );

describe('an outage', () => {
  let server: RedisServer;
  let redis: Connected;
  beforeEach(async () => {
    server = await RedisServer.start();
    redis = await connect({ url: server.url, recheckMs: 200 });
  });
  afterEach(async () => {
    await redis.close();
    await server.stop();
  });

  it('is noticed by an application without traffic, too', async () => {
    await server.kill();
    await eventually(() => redis.backend.current === 'memory', { within: 2_500 });
    expect(redis.backend.reason).toBe('unreachable');
  });

  it('of a frozen server is noticed without traffic by the heartbeat', async () => {
    await redis.close();
    redis = await connect({ url: server.url, heartbeatMs: 300, recheckMs: 200 });
    server.freeze();
    await eventually(() => redis.backend.current === 'memory', { within: 4_000 });
    expect(redis.backend.reason).toBe('timeout');
    expect(redis.logged.at(-1)?.message).toContain('no sign of life');
    server.thaw();
    await untilRedis(redis);
  });

  it('ends what already waits as soon as it is known, not when each deadline passes', async () => {
    server.freeze();
    const first = Array.from({ length: 5 }, () => write(redis));
    await new Promise((resolve) => setTimeout(resolve, 40));
    const startedAt = performance.now();
    const later = Array.from({ length: 20 }, () => write(redis));
    await Promise.all([...first, ...later]);
    expect(performance.now() - startedAt).toBeLessThan(245); // their own deadline is 250 ms
  });

  it('is the business of no request, although the commands of one brought it to light', async () => {
    const requests = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    redis.backend.onChange(() => seen.push(requests.getStore()));
    server.freeze();
    await requests.run('request', () => Promise.all(Array.from({ length: 5 }, () => write(redis))));
    server.thaw();
    await untilRedis(redis);
    expect(seen.length).toBeGreaterThan(1);
    expect(seen).toEqual(seen.map(() => undefined));
  });

  it('nor is a connection that was opened for one', async () => {
    const requests = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const note = () => void seen.push(requests.getStore());
    await requests.run('first', () => redis.commands.read('GET', key)); // opens the connection for reads
    await new Promise((resolve) => setTimeout(resolve, 100));
    subscribe('roost:redis:command', note);
    await requests.run('second', () => redis.commands.read('GET', key));
    unsubscribe('roost:redis:command', note);
    expect(seen).toEqual([undefined]);
  });

  it('asks Redis nothing while it lasts', async () => {
    server.freeze();
    await Promise.all(Array.from({ length: 5 }, () => write(redis)));
    expect([redis.backend.choose('write', 'anyone'), redis.backend.choose('read')]).toEqual(['memory', 'redis']);
    await eventually(() => redis.backend.choose('read') === 'memory', { within: 4_000 });
  });

  it('of a full server stops writes and leaves reads alone; PING would have said all is well', async () => {
    await write(redis);
    await server.command('CONFIG', 'SET', 'maxmemory', '1');
    await untilMemory(redis);
    expect(redis.backend.state()).toMatchObject({ write: 'open', read: 'closed', reason: 'full' });
    expect(await redis.commands.read('GET', key)).toBe('x');
    await server.command('CONFIG', 'SET', 'maxmemory', '0');
    await untilRedis(redis);
  });

  it('of a master that became a replica ends on a fresh connection once there is a master', async () => {
    await server.command('REPLICAOF', '127.0.0.1', '1');
    await untilMemory(redis);
    expect(redis.backend.state()).toMatchObject({ write: 'open', read: 'closed', reason: 'read_only' });
    await server.command('REPLICAOF', 'NO', 'ONE');
    await untilRedis(redis);
  });

  it('by a busy script counts, and no reconnect storm follows', async () => {
    await server.command('CONFIG', 'SET', 'busy-reply-threshold', '50');
    const endless = server.command('EVAL', 'while true do end', 0).catch(() => undefined);
    await untilMemory(redis);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await server.command('SCRIPT', 'KILL');
    await endless;
    await untilRedis(redis);
    const received = /total_connections_received:(\d+)/.exec(String(await server.command('INFO', 'stats')))![1];
    expect(Number(received)).toBeLessThan(40);
  });

  it('shows in the metrics', async () => {
    await server.kill();
    await untilMemory(redis);
    await server.restart();
    await untilRedis(redis);
    const text = await redis.metrics.registry.metrics();
    expect(text).toContain('roost_backend_active{connection="default",backend="redis"} 1');
    expect(text).toContain('roost_backend_transitions_total{connection="default",to="memory",reason="unreachable"} 1');
    expect(text).toContain('roost_breaker_state{connection="default",direction="write",state="closed"} 1');
    expect(text).toMatch(/roost_redis_errors_total\{connection="default",class="unreachable"\} \d/);
    expect(text).toMatch(/roost_redis_reconnects_total\{connection="default",role="write"\} 1/);
    expect(Number(/roost_fallback_seconds_total\{connection="default"\} ([\d.]+)/.exec(text)![1])).toBeGreaterThan(0.4);
    expect(text).not.toContain('test:item');
  });

  it('can be declared by hand, and is over when taken back', async () => {
    const changes: string[] = [];
    redis.backend.onChange(({ from, to, reason }) => changes.push(`${from} → ${to}: ${reason}`));
    redis.backend.force('memory');
    expect(redis.backend.choose('write', 'x')).toBe('memory');
    redis.backend.force(null);
    expect(redis.backend.choose('write', 'x')).toBe('redis');
    expect(changes).toEqual(['redis → memory: forced', 'memory → redis: null']);
  });
});

describe('a listener that throws', () => {
  it('neither stops the switch nor the other listeners', async () => {
    const server = await RedisServer.start();
    const redis = await connect({ url: server.url });
    const heard: string[] = [];
    redis.backend.onChange(() => {
      throw new Error('listener broke');
    });
    redis.backend.onChange(({ to }) => heard.push(to));
    redis.backend.force('memory');
    expect([redis.backend.current, heard]).toEqual(['memory', ['memory']]);
    expect(redis.logged.at(-1)).toMatchObject({ level: 'error', details: { error: 'Error: listener broke' } });
    await redis.close();
    await server.stop();
  });
});

describe('a broken network', () => {
  it('that swallows everything is noticed on an idle connection by the heartbeat', async () => {
    const server = await RedisServer.start();
    const proxy = await FaultProxy.start({ target: { port: server.port } });
    const redis = await connect({ url: proxy.url, heartbeatMs: 500, recheckMs: 200 });
    await proxy.blackhole();
    const startedAt = performance.now();
    await eventually(() => redis.backend.current === 'memory', { within: 4_000 });
    expect(performance.now() - startedAt).toBeLessThan(3_500);
    await proxy.pass();
    await untilRedis(redis);
    await redis.close();
    await proxy.stop();
    await server.stop();
  });

  it('that loses a reply leaves a write done once, and says that its outcome is unknown', async () => {
    const server = await RedisServer.start();
    const proxy = await FaultProxy.start({ target: { port: server.port } });
    const redis = await connect({ url: proxy.url });
    await proxy.dropReplies({ thenReset: true });
    const error = await redis.commands.write('INCR', key).catch((each: Error) => each);
    expect(error).toMatchObject({ code: 'redis.unavailable', outcomeUnknown: true });
    await proxy.pass();
    await eventually(() => redis.commands.read('PING'), { within: 8_000 });
    expect(await redis.commands.read('GET', key)).toBe('1');
    await redis.close();
    await proxy.stop();
    await server.stop();
  });

  it('that is merely slow moves everything to memory: calls of 220 ms are no service', async () => {
    const server = await RedisServer.start();
    const proxy = await FaultProxy.start({ target: { port: server.port } });
    const redis = await connect({ url: proxy.url });
    await proxy.delay(110);
    for (let i = 0; i < 6 && redis.backend.current === 'redis'; i++) {
      await Promise.all(Array.from({ length: 10 }, () => write(redis)));
    }
    expect(redis.backend).toMatchObject({ current: 'memory', reason: 'timeout' });
    await redis.close();
    await proxy.stop();
    await server.stop();
  });
});
