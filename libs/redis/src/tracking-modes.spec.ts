import { eventually, RedisServer } from '@roost/testing';
import { defineScript, Key } from './index.js';
import { connect, track, type Connected } from './testing.js';

const within = (ms: number) => ({ within: ms });

const write = defineScript('test.write', {
  keys: ['entry'],
  args: ['channel', 'name'],
  reply: String,
  lua: `
    redis.call('SET', KEYS[1], '1', 'PX', 5000)
    if ARGV[1] ~= '' then redis.pcall('PUBLISH', ARGV[1], ARGV[2]) end
    return 'OK'`,
});

describe('modes of tracking', () => {
  let server: RedisServer;
  const opened: Connected[] = [];
  beforeEach(async () => {
    server = await RedisServer.start({ args: ['--save', ''] });
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()));
    await server.stop();
  });

  /** A connection of a user who may do everything but this. */
  async function connectWithout(...rules: string[]): Promise<Connected> {
    await server.command('ACL', 'SETUSER', 'app', 'reset', 'on', 'nopass', '~*', '&*', '+@all', ...rules);
    const redis = await connect({ url: server.url.replace('redis://', 'redis://app:x@'), recheckMs: 500 });
    opened.push(redis);
    return redis;
  }
  async function coherent(redis: Connected, options: Parameters<typeof track>[1] = {}) {
    const heard = track(redis.connection, options);
    await eventually(() => heard.tracking.coherent, within(3_000));
    return heard;
  }
  const warnings = ({ logged }: Connected) =>
    logged.filter(({ details }) => details['event'] === 'redis.tracking').map(({ message }) => message);
  const cut = (type: 'normal' | 'pubsub') => server.command('CLIENT', 'KILL', 'TYPE', type);

  it('turns to protocol 3 when the channel is forbidden, and stays there', async () => {
    const redis = await connectWithout('resetchannels');
    const { tracking, moments, keys } = await coherent(redis);
    expect([tracking.mode, tracking.announceTo]).toEqual(['resp3', '']);
    expect(warnings(redis)).toEqual([expect.stringMatching(/by resp2: NOPERM .*Turning to resp3/)]);
    const names = ['test:e:a,b c%', 'test:t:🦜\r\n', `test:e:${'x'.repeat(100_000)}`];
    for (const name of names) await server.command('SET', `roost:${name}`, 'x');
    await server.command('FLUSHDB');
    await eventually(() => moments.length === 2, within(2_000));
    expect(keys).toEqual(names);
    await cut('normal');
    await eventually(() => moments.length === 4, within(4_000));
    expect(moments).toEqual(['coherent', 'flushed', 'lost', 'coherent']);
    expect(tracking.mode).toBe('resp3');
    await server.command('SET', 'roost:test:e:again', 'x');
    await eventually(() => keys.includes('test:e:again'), within(1_000));
    expect(warnings(redis)).toHaveLength(1);
  });

  it('turns to what writers publish when tracking is forbidden', async () => {
    const redis = await connectWithout('-client|tracking');
    const { tracking, keys, moments } = await coherent(redis);
    expect([tracking.mode, tracking.announceTo]).toEqual(['pubsub', redis.pubsub.wire('test-changes')]);
    const other = await connectWithout('-client|tracking');
    for (const name of ['test:e:a', 'test:t:b c,d%']) {
      const args = { channel: tracking.announceTo, name };
      await other.commands.run(write, { entry: new Key(name, name) }, args);
    }
    await other.pubsub.publish('test-changes', 'test:e:1\ntest:e:2');
    await eventually(() => keys.length === 4, within(1_000));
    expect(keys).toEqual(['test:e:a', 'test:t:b c,d%', 'test:e:1', 'test:e:2']);
    await cut('pubsub');
    await eventually(() => moments.length === 3, within(4_000));
    expect(moments).toEqual(['coherent', 'lost', 'coherent']);
    await tracking.close(500);
    await other.pubsub.publish('test-changes', 'test:e:late');
    await eventually(() => moments.length === 4, within(1_000));
    expect([moments.at(-1), keys.includes('test:e:late')]).toEqual(['lost', false]);
  });

  it('trusts nothing when everything is forbidden, until it is told to look again', async () => {
    const redis = await connectWithout('-client|tracking', 'resetchannels');
    const { tracking, moments } = track(redis.connection);
    await eventually(() => tracking.mode === 'off', within(3_000));
    expect([tracking.coherent, tracking.announceTo, moments]).toEqual([false, '', []]);
    expect(warnings(redis).at(-1)).toMatch(/by pubsub: .*NOPERM.*Turning to off/);
    await server.command('ACL', 'SETUSER', 'app', '+client|tracking', '&*');
    tracking.restart();
    await eventually(() => tracking.coherent, within(3_000));
    expect(tracking.mode).toBe('resp2');
  });

  it('believes no mode of a server that accepts and stays silent', async () => {
    const redis = await connectWithout();
    const send = redis.commands.write.bind(redis.commands);
    const silenced = jest
      .spyOn(redis.commands, 'write')
      .mockImplementation((command, ...args) => (command === 'SET' ? Promise.resolve('OK') : send(command, ...args)));
    const { tracking, moments } = track(redis.connection);
    await eventually(() => tracking.coherent, within(8_000));
    expect([tracking.mode, moments]).toEqual(['pubsub', ['coherent']]);
    expect(warnings(redis)).toEqual([
      expect.stringContaining('by resp2: nothing was heard'),
      expect.stringContaining('by resp3: nothing was heard'),
    ]);
    silenced.mockRestore();
  }, 15_000);

  it('keeps a mode that worked through a time of silence', async () => {
    const redis = await connectWithout();
    const { tracking, moments } = await coherent(redis);
    const silenced = jest.spyOn(redis.commands, 'write').mockResolvedValue('OK');
    await server.command('DEL', 'roost:test:e:~'); // that it expires would be heard, too
    await cut('pubsub');
    // Two tries of a second each, and a pause: other modes would be under way by then.
    await eventually(() => warnings(redis).length > 0, within(6_000));
    silenced.mockRestore();
    await eventually(() => tracking.coherent, within(6_000));
    expect(warnings(redis)).toEqual(['Tracking: nothing was heard of a change']);
    expect([tracking.mode, moments]).toEqual(['resp2', ['coherent', 'lost', 'coherent']]);
  }, 15_000);

  it('finds the server where INFO is forbidden, without knowing which', async () => {
    const { runIds } = await coherent(await connectWithout('-info'));
    expect(runIds).toEqual([undefined]);
  });

  it('is off without a Redis, and when asked to be; then others are told all the same', async () => {
    const [none, some] = await Promise.all([connect({}), connect({ url: server.url })]);
    opened.push(none, some);
    for (const { connection } of opened) {
      const { tracking, moments } = track(connection, { mode: 'off' });
      tracking.restart();
      expect([tracking.mode, tracking.coherent, moments]).toEqual(['off', false, []]);
      await tracking.close(10);
    }
    expect(track(none.connection).tracking).toMatchObject({ mode: 'off', announceTo: '' });
    expect(track(some.connection, { mode: 'off' }).tracking.announceTo).toBe(some.pubsub.wire('test-changes'));
  });
});
