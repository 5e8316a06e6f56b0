import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { Redis } from 'ioredis';
import { InvalidOptionsError } from './index.js';
import { connect, track, type Connected } from './testing.js';

const within = (ms: number) => ({ within: ms });
/** What tells a client that is tracked. */
const TRACKED = /^.*name=roost:default .*$/gm;

describe('RedisConnection.track', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  let redis: Connected;
  beforeEach(async () => {
    server = await RedisServer.start({ args: ['--save', ''] });
    proxy = await FaultProxy.start({ target: server });
    redis = await connect({ url: proxy.url, recheckMs: 500 });
  });
  afterEach(async () => {
    await redis.close();
    await proxy.stop();
    await server.stop();
  });

  async function coherent(options: Parameters<typeof track>[1] = {}) {
    const heard = track(redis.connection, options);
    await eventually(() => heard.tracking.coherent, within(3_000));
    return heard;
  }
  const named = (name: string) => `${redis.connection.keyPrefix}:${name}`;
  /** The numbers of the server's clients that hear of changes by a redirection to themselves. */
  async function trackers(): Promise<number[]> {
    const lines = String(await server.command('CLIENT', 'LIST')).match(TRACKED) ?? [];
    const found = lines.map((line) => ({ id: /^id=(\d+)/.exec(line)![1], redirect: /redir=(-?\d+)/.exec(line)![1] }));
    return found.filter(({ id, redirect }) => id === redirect).map(({ id }) => Number(id));
  }
  const metric = async (name: string) =>
    new RegExp(`^${name}\\{connection="default"\\} (\\d+)`, 'm').exec(await redis.metrics.registry.metrics())?.[1];

  it('8: hears of what anybody writes, deletes or lets expire under its prefixes', async () => {
    const { tracking, keys } = await coherent();
    expect(tracking.mode).toBe('resp2');
    expect(tracking.announceTo).toBe('');
    await server.command('SET', named('test:e:a'), 'x');
    await server.command('SET', named('test:t:b'), 'x', 'PX', 20);
    await server.command('SET', named('test:other'), 'x');
    await server.command('SET', 'test:e:without-prefix', 'x');
    await server.command('DEL', named('test:e:a'));
    await eventually(() => keys.length === 4, within(2_000));
    expect(keys).toEqual(['test:e:a', 'test:t:b', 'test:e:a', 'test:t:b']);
  });

  it('9: hears that a database was flushed, whichever it was', async () => {
    const { moments } = await coherent();
    const other = new Redis(server.url, { db: 3 });
    await other.set('x', 1);
    await other.flushdb();
    await eventually(() => moments.length === 2, within(1_000));
    await other.flushall();
    await eventually(() => moments.length === 3, within(1_000));
    other.disconnect();
    expect(moments).toEqual(['coherent', 'flushed', 'flushed']);
  });

  it('13: takes names as they are', async () => {
    const { keys } = await coherent();
    const names = ['a,b', 'a b', '%2C{x}', 'new\nline\r\n', '🦜', '', 'x'.repeat(10_000)].map((end) => `test:e:${end}`);
    for (const name of names) await server.command('SET', named(name), 'x');
    await server.command('MSET', named('test:e:1'), 'x', named('test:e:1,2'), 'x');
    await eventually(() => keys.length === names.length + 2, within(1_000));
    expect(keys.slice(0, names.length)).toEqual(names);
    expect(keys.slice(names.length).toSorted()).toEqual(['test:e:1', 'test:e:1,2']);
  });

  it('15: knows the database that it must tell apart itself, as keys of all are told', async () => {
    const { keys } = await coherent();
    const other = new Redis(server.url, { db: 3 });
    await other.set(named('test:e:a'), 1);
    await eventually(() => keys.length === 1, within(1_000));
    other.disconnect();
    const [third, brought, none] = await Promise.all([
      connect({ url: `${server.url.replace(/\/0?$/, '')}/3` }),
      connect({ client: other }),
      connect({}),
    ]);
    expect([redis, third, brought, none].map(({ connection }) => connection.database)).toEqual([0, 3, 3, 0]);
    await Promise.all([third, brought, none].map((each) => each.close()));
  });

  it('10: says that it was cut off, and is coherent again only when it hears again', async () => {
    const { tracking, moments, keys } = await coherent();
    const [id] = await trackers();
    await server.command('CLIENT', 'KILL', 'ID', id!);
    await server.command('SET', named('test:e:missed'), 'x');
    await eventually(() => moments.length === 3, within(3_000));
    expect(moments).toEqual(['coherent', 'lost', 'coherent']);
    const [again, ...more] = await trackers();
    expect([again === id, more]).toEqual([false, []]);
    await server.command('SET', named('test:e:told'), 'x');
    await eventually(() => keys.includes('test:e:told'), within(1_000));
    expect(tracking.mode).toBe('resp2');
    expect(await metric('roost_redis_tracking_coherent')).toBe('1');
    expect(await metric('roost_redis_tracking_losses_total')).toBe('1');
  });
});
