import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { Redis, type RedisOptions } from 'ioredis';
import { settingsFor } from './connection-settings.js';
import { Deadlines } from './deadlines.js';
import { defineKey } from './key.js';
import { Lane } from './lane.js';
import { probe } from './probe.js';
import { RedisCommands } from './redis-commands.js';

/**
 * Guards that matter, taken away on purpose: each promise is checked twice, once as shipped and once broken, so that a test
 * that could not fail would show.
 */
const key = defineKey('test:mutant', { ttl: '1m', maxBytes: 20 }).of({});
const timing = { connectTimeoutMs: 1_000, socketTimeoutMs: 1_000 };
const silent = { ready: () => undefined, lost: () => undefined };
const heartbeat = { everyMs: 60_000, deadlineMs: 1_000 };

describe('mutants of the seam', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  const lanes: Lane[] = [];
  beforeEach(async () => {
    server = await RedisServer.start({ appendonly: true });
    proxy = await FaultProxy.start({ target: server });
  });
  afterEach(async () => {
    await Promise.all(lanes.splice(0).map((lane) => lane.close(100)));
    await proxy.stop();
    await server.stop();
  });

  async function commands(deadlineMs: number, mutation: RedisOptions = {}): Promise<RedisCommands> {
    const client = new Redis({ port: proxy.port, ...settingsFor('command', timing), ...mutation });
    const lane = new Lane(client, heartbeat, silent);
    lanes.push(lane);
    lane.open();
    await lane.whenReady(1_000);
    const observer = { finished: () => undefined };
    return new RedisCommands('default', 'roost', { read: lane, write: lane }, new Deadlines(deadlineMs), observer);
  }

  const outcome = (call: Promise<unknown>, withinMs: number) =>
    Promise.race([
      call.then(
        () => 'answered',
        () => 'rejected',
      ),
      new Promise((resolve) => setTimeout(() => resolve('pending'), withinMs).unref()),
    ]);

  const value = async () => Number((await server.command('GET', 'roost:test:mutant')) ?? 0);

  describe('a frozen server is given up within the deadline', () => {
    const check = async (redis: RedisCommands) => {
      server.freeze();
      return outcome(redis.write('INCR', key), 400);
    };
    it('as shipped', async () => expect(await check(await commands(250))).toBe('rejected'));
    it('goes red without the deadline', async () => expect(await check(await commands(60_000))).toBe('pending'));
  });

  describe('what a dead server did not execute is not executed when it returns', () => {
    const check = async (redis: RedisCommands) => {
      await server.kill();
      await eventually(() => !lanes[0]!.ready, { within: 1_000 });
      expect(await outcome(redis.write('INCR', key), 400)).toBe('rejected');
      await server.restart();
      await eventually(() => lanes[0]!.ready, { within: 8_000 });
      await lanes[0]!.client.ping();
      return value();
    };
    it('as shipped', async () => expect(await check(await commands(250))).toBe(0));
    it('goes red with an offline queue', async () => {
      expect(await check(await commands(250, { enableOfflineQueue: true, maxRetriesPerRequest: null }))).toBe(1);
    });
  });

  describe('a command whose reply was lost is not sent again', () => {
    const check = async (redis: RedisCommands) => {
      await proxy.dropReplies({ thenReset: true, once: true, to: 'INCR' });
      await outcome(redis.write('INCR', key), 1_500);
      await eventually(() => lanes[0]!.ready, { within: 8_000 });
      await lanes[0]!.client.ping();
      return value();
    };
    it('as shipped', async () => expect(await check(await commands(250))).toBe(1));
    it('goes red with automatic resending', async () => {
      const resending = { autoResendUnfulfilledCommands: true, maxRetriesPerRequest: 20, enableOfflineQueue: true };
      expect(await check(await commands(250, resending))).toBe(2);
    });
  });

  describe('a full server is no healthy one', () => {
    it('as shipped: the probe writes', async () => {
      await server.command('CONFIG', 'SET', 'maxmemory', '1');
      const client = new Redis({ port: server.port, lazyConnect: true, retryStrategy: () => null });
      expect(await probe(client, 'roost:probe:x', 1_000)).toMatchObject({ write: 'full', read: undefined });
    });
    it('goes red with a PING', async () => {
      await server.command('CONFIG', 'SET', 'maxmemory', '1');
      expect(await server.command('PING')).toBe('PONG');
    });
  });
});
