import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { Redis } from 'ioredis';
import { InvalidOptionsError } from './index.js';
import { connect, track, type Connected } from './testing.js';

const within = (ms: number) => ({ within: ms });
/** A client that is tracking (`t`), broadcasting (`B`) and subscribed (`P`), and redirected to itself. */
const TRACKED = /^id=(\d+) .* name=roost:default .* flags=(?=\w*t)(?=\w*B)\w*P\w* .* redir=\1 .*$/gm;

describe('RedisConnection.track', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  let redis: Connected;
  const others: { close(): Promise<void> }[] = [];
  beforeEach(async () => {
    server = await RedisServer.start({ args: ['--save', ''] });
    proxy = await FaultProxy.start({ target: server });
    redis = await connect({ url: proxy.url, recheckMs: 500 });
  });
  afterEach(async () => {
    await Promise.all([redis, ...others.splice(0)].map((each) => each.close()));
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
    return lines.map((line) => Number(/^id=(\d+)/.exec(line)![1]));
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
    others.push(third, brought, none);
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

  it('12: tracks again after a cut although the client of the application would resubscribe by itself', async () => {
    const client = new Redis(server.url, { autoResubscribe: true, lazyConnect: true });
    const brought = await connect({ client });
    others.push(brought);
    const { tracking, keys, moments } = track(brought.connection);
    await eventually(() => tracking.coherent, within(3_000));
    for (let cuts = 1; cuts <= 3; cuts++) {
      await server.command('CLIENT', 'KILL', 'ID', (await trackers())[0]!);
      await eventually(() => moments.length === 1 + 2 * cuts, within(3_000));
      await server.command('SET', named(`test:e:${cuts}`), 'x');
      await eventually(() => keys.includes(`test:e:${cuts}`), within(1_000));
    }
  });

  it('10: trusts nothing that was prepared over a connection that was lost meanwhile', async () => {
    const release: (() => void)[] = [];
    const prepare = () => new Promise<void>((resolve) => release.push(resolve));
    const { tracking, moments } = track(redis.connection, { prepare });
    await eventually(() => release.length === 1, within(3_000));
    await server.command('CLIENT', 'KILL', 'ID', (await trackers())[0]!);
    await eventually(() => release.length === 2, within(3_000));
    release[0]!();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([tracking.coherent, moments]).toEqual([false, []]);
    release[1]!();
    await eventually(() => tracking.coherent, within(1_000));
    expect(moments).toEqual(['coherent']);
  });

  it('passes on what is told before it is coherent, the probe excepted', async () => {
    const send = redis.commands.write.bind(redis.commands);
    // The connection is subscribed by now, and has not heard its probe yet.
    const spied = jest.spyOn(redis.commands, 'write').mockImplementationOnce(async (command, ...args) => {
      await server.command('SET', named('test:e:early'), 'x');
      return send(command, ...args);
    });
    const seen: string[] = [];
    const { tracking, keys, moments } = track(redis.connection, {
      prepare: async () => {
        seen.push(...keys);
        await server.command('SET', named('test:e:later'), 'x');
        await server.command('FLUSHDB');
        await eventually(() => moments.length === 1, within(1_000));
      },
    });
    await eventually(() => tracking.coherent, within(3_000));
    expect(seen).toEqual(['test:e:early']);
    expect([keys, moments]).toEqual([
      ['test:e:early', 'test:e:later'],
      ['flushed', 'coherent'],
    ]);
    spied.mockRestore();
  });

  it('11: finds a frozen server within its heartbeat, and says so once', async () => {
    const { tracking, moments } = await coherent();
    server.freeze();
    await eventually(() => moments.length === 2, within(2_200));
    await new Promise((resolve) => setTimeout(resolve, 1_200)); // its tries to reconnect hang, and are no further loss
    server.thaw();
    await eventually(() => tracking.coherent, within(6_000));
    expect([moments, tracking.mode]).toEqual([['coherent', 'lost', 'coherent'], 'resp2']);
  }, 15_000);

  it('11: finds a half-open connection within its heartbeat, and says so once', async () => {
    const { tracking, moments, keys } = await coherent();
    await proxy.blackhole();
    await eventually(() => moments.length === 2, within(2_200));
    await server.command('SET', named('test:e:missed'), 'x');
    await proxy.pass();
    await eventually(() => tracking.coherent, within(6_000));
    expect([moments, keys]).toEqual([['coherent', 'lost', 'coherent'], []]);
  }, 15_000);

  it('tells another server by its run id', async () => {
    const { tracking, moments, runIds } = await coherent();
    await server.kill();
    await eventually(() => moments.length === 2, within(1_000));
    await server.restart();
    await eventually(() => tracking.coherent, within(6_000));
    expect(runIds).toEqual([expect.stringMatching(/^[0-9a-f]{40}$/), expect.stringMatching(/^[0-9a-f]{40}$/)]);
    expect(runIds[0]).not.toBe(runIds[1]);
  }, 15_000);

  it('takes no silence and no lost connection for a refusal', async () => {
    await proxy.blackhole();
    const dark = await connect({ url: proxy.url, recheckMs: 500 });
    others.push(dark);
    const { tracking } = track(dark.connection);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(tracking.mode).toBeUndefined();
    await proxy.refuse();
    await proxy.pass();
    await eventually(() => tracking.coherent, within(6_000));
    expect(tracking.mode).toBe('resp2');
    expect(dark.logged.filter(({ details }) => details['event'] === 'redis.tracking')).toEqual([]);
  }, 15_000);

  it('tries anew when it could not be prepared', async () => {
    let failures = 3;
    const prepare = async () => {
      if (failures-- > 0) throw new Error('not yet');
    };
    const { moments, runIds } = await coherent({ prepare });
    expect([moments, runIds.length]).toEqual([['coherent'], 4]);
    expect(redis.logged.filter(({ message }) => message === 'Tracking: not yet')).toHaveLength(1);
  });

  it('trusts nothing after a listener threw, and begins anew', async () => {
    const changed = () => {
      throw new Error('listener broke');
    };
    const { tracking, moments } = await coherent({ changed });
    await server.command('SET', named('test:e:a'), 'x');
    await eventually(() => moments.length === 3 && tracking.coherent, within(3_000));
    expect(moments).toEqual(['coherent', 'lost', 'coherent']);
    expect(redis.logged).toContainEqual(expect.objectContaining({ message: 'Tracking: listener broke' }));
  });

  it('begins anew when told to', async () => {
    const { tracking, moments } = await coherent();
    const [id] = await trackers();
    tracking.restart();
    expect([tracking.coherent, tracking.mode]).toEqual([false, undefined]);
    await eventually(() => tracking.coherent, within(3_000));
    await eventually(async () => (await trackers()).length === 1, within(1_000));
    expect(await trackers()).not.toContain(id);
    expect(moments).toEqual(['coherent', 'lost', 'coherent']);
  });

  it('ends with its connection, after the features', async () => {
    const { tracking, moments } = await coherent();
    redis.connection.beforeClose(async () => void moments.push(`feature while coherent: ${tracking.coherent}`));
    await redis.close();
    tracking.restart();
    expect(moments).toEqual(['coherent', 'feature while coherent: true', 'lost']);
    expect(await metric('roost_redis_tracking_coherent')).toBe('0');
    await eventually(async () => (await trackers()).length === 0, within(1_000));
  });

  it('refuses prefixes that overlap, name everything, or leave the probe out', () => {
    expect(() => track(redis.connection, { prefixes: ['test:', 'test:e:', 'x', 'x'] })).toThrow(InvalidOptionsError);
    for (const prefixes of [[], [''], ['other:'], ['test:e:', 'test:e:']]) {
      expect(() => track(redis.connection, { prefixes })).toThrow(InvalidOptionsError);
    }
  });
});
