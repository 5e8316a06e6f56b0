import { eventually, RedisServer } from '@roost/testing';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { childScript, openApp, Watcher, type PresenceApp } from './presence.testbed.js';
import type { PresenceOptions } from './presence.options.js';

const soon = { within: 4_000, every: 5 };

describe('presence in several applications', () => {
  let server: RedisServer;
  const apps: PresenceApp[] = [];
  const watchers: Watcher[] = [];
  beforeAll(async () => void (server = await RedisServer.start()));
  afterAll(() => server?.stop());
  afterEach(async () => {
    for (const watcher of watchers.splice(0)) watcher.stop();
    await Promise.all(apps.splice(0).map((app) => app.close()));
    await server.command('FLUSHALL');
  });

  async function open(options?: PresenceOptions): Promise<PresenceApp> {
    const app = await openApp({ url: server.url }, options);
    apps.push(app);
    return app;
  }

  function watch({ presence }: PresenceApp, since?: number): Watcher {
    const watcher = new Watcher(presence, 'lobby', since);
    watchers.push(watcher);
    return watcher;
  }

  async function ready(watcher: Watcher): Promise<void> {
    await eventually(() => expect(watcher.events.length).toBeGreaterThan(0), soon);
  }

  /** Another process that has said something. */
  async function startChild(body: string) {
    const stdio = ['pipe', 'pipe', 'inherit'] as const;
    const child = spawn(process.execPath, ['-e', childScript(body), server.url], { stdio: [...stdio] });
    const ended = once(child, 'exit');
    await Promise.race([once(child.stdout!, 'data'), ended]);
    return { process: { kill: child.kill.bind(child), stdin: child.stdin!, stdout: child.stdout! }, ended };
  }

  it('case 49: nine sockets of two users in two applications are two joins, wherever one looks', async () => {
    const [a, b] = [await open(), await open()];
    const watcher = watch(a);
    await ready(watcher);
    for (let i = 0; i < 9; i++) await (i % 2 ? a : b).presence.join('lobby', { userId: i < 6 ? 'ann' : 'ben' });
    await eventually(() => expect(watcher.sorted).toEqual(['ann', 'ben']), soon);
    expect(watcher.joins).toEqual(['ann', 'ben']);
    for (const { presence } of [a, b]) {
      const { members, partial } = await presence.list('lobby');
      expect([members.map(({ userId }) => userId).sort(), partial]).toEqual([['ann', 'ben'], false]);
      expect(await presence.count('lobby')).toBe(2);
      expect([...(await presence.online(['ann', 'zoe', 'ben']))].sort()).toEqual(['ann', 'ben']);
      expect(await presence.lastSeen('zoe')).toBeNull();
      expect(Date.now() - (await presence.lastSeen('ann'))!.getTime()).toBeLessThan(1_000);
      expect(await presence.devices('lobby')).toHaveLength(9);
    }
  });

  it('a user is gone `goneAfter` after the last sign of life of the last device, and then was last seen', async () => {
    const [a, b] = [await open(), await open()];
    const [phone, tablet] = [
      await a.presence.join('lobby', { userId: 'ann' }),
      await b.presence.join('lobby', { userId: 'ann' }),
    ];
    const watcher = watch(b);
    await ready(watcher);
    await phone.drop();
    await tablet.drop(200);
    const droppedAt = Date.now();
    await eventually(() => expect(watcher.leaves).toEqual(['ann']), soon);
    expect(Date.now() - droppedAt).toBeGreaterThanOrEqual(390);
    await eventually(async () => expect([...(await a.presence.online(['ann']))]).toEqual([]), soon);
    expect(Math.abs((await a.presence.lastSeen('ann'))!.getTime() - droppedAt)).toBeLessThan(250);
    await eventually(async () => expect(await server.keys('*owned*')).toEqual([]), soon);
  });

  it('case 53: a reload within the grace is nothing, also on another application', async () => {
    const [a, b] = [await open(), await open()];
    const watcher = watch(a);
    await ready(watcher);
    const before = await a.presence.join('lobby', { userId: 'ann' });
    await before.drop();
    const after = await b.presence.join('lobby', { userId: 'ann' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([watcher.joins, watcher.leaves]).toEqual([['ann'], []]);
    await after.leave();
    await eventually(() => expect(watcher.leaves).toEqual(['ann']), soon);
  });

  it('case 54: leaving twice is leaving once', async () => {
    const a = await open();
    const ann = await a.presence.join('lobby', { userId: 'ann', deviceId: 'phone' });
    const again = await a.presence.join('lobby', { userId: 'ann', deviceId: 'phone' });
    await ann.leave();
    await ann.leave();
    await ann.drop();
    expect(await a.presence.count('lobby')).toBe(1);
    await again.leave();
    expect(await a.presence.count('lobby')).toBe(0);
    expect(a.room.node.members.size).toBe(0);
  });

  it('a device that leaves and joins at once is there, and so is one that another application has left', async () => {
    const [a, b] = [await open(), await open()];
    const phone = { userId: 'ann', deviceId: 'phone' };
    const member = await a.presence.join('lobby', phone);
    void member.update({ mood: 'away' });
    void member.leave();
    await a.presence.join('lobby', phone);
    expect(await a.presence.devices('lobby')).toEqual([{ ...phone, meta: null }]);
    await (await b.presence.join('lobby', phone)).leave();
    for (const { presence } of [a, b]) expect(await presence.count('lobby')).toBe(1);
    expect([...(await b.presence.online(['ann']))]).toEqual(['ann']);
  });

  it('a device goes even when nobody can tell when it was last seen', async () => {
    const a = await open({ goneAfter: '1s' });
    for (const silentMs of [NaN, -1e12, Infinity]) {
      await (await a.presence.join('lobby', { userId: 'ann' })).drop(silentMs);
    }
    await eventually(async () => expect(await a.presence.count('lobby')).toBe(0), { within: 2_000 });
  });

  it('case 58: an update of the phone is one update, and nothing of the tablet', async () => {
    const [a, b] = [await open(), await open()];
    const phone = await a.presence.join('lobby', { userId: 'ann', deviceId: 'phone', meta: { mood: 'here' } });
    await a.presence.join('lobby', { userId: 'ann', deviceId: 'tablet', meta: 'tablet' });
    const watcher = watch(b);
    await ready(watcher);
    await phone.update({ mood: 'away' });
    await eventually(() => expect(watcher.events).toHaveLength(2), soon);
    expect(watcher.events[1]).toMatchObject({
      joins: [],
      leaves: [],
      updates: [{ userId: 'ann', deviceId: 'phone', meta: { mood: 'away' } }],
    });
    expect(await b.presence.devices('lobby')).toContainEqual({ userId: 'ann', deviceId: 'tablet', meta: 'tablet' });
    await expect(phone.update('x'.repeat(2_000))).rejects.toThrow(/at most 1024 bytes/);
  });

  it.each(['', 'a\x1fb', 'a\nb', '\ud800', 'x'.repeat(129), 7, null])('case 57: %j is no name', async (name) => {
    const { presence } = apps[0] ?? (await open());
    const bad = name as string;
    await expect(presence.join(bad, { userId: 'ann' })).rejects.toMatchObject({ code: 'presence.invalid-name' });
    await expect(presence.join('lobby', { userId: bad })).rejects.toMatchObject({ httpStatus: 400 });
    await expect(presence.list(bad)).rejects.toThrow(/control characters/);
    await expect(presence.online([bad])).rejects.toThrow(/control characters/);
    expect(() => presence.watch(bad)).toThrow(/control characters/);
  });

  it('case 57: __proto__ is a name like any other', async () => {
    const a = await open();
    for (const name of ['__proto__', 'a:b', '{x}', 'constructor']) {
      await a.presence.join(name, { userId: name });
      expect((await a.presence.list(name)).members).toEqual([{ userId: name }]);
      expect([...(await a.presence.online([name]))]).toEqual([name]);
    }
  });

  it('case 51: of a process killed by SIGKILL only those leave who were nowhere else, after its lease, at once', async () => {
    const a = await open({ goneAfter: 1_000, lease: 1_000 });
    const watcher = watch(a);
    await ready(watcher);
    await a.presence.join('lobby', { userId: 'both' });
    const child = await startChild(`
      const { openApp } = load('presence.testbed.ts');
      const { presence } = await openApp({ url: process.argv[1] }, { goneAfter: 1000, lease: 1000 });
      for (const userId of ['both', 'one', 'two']) await presence.join('lobby', { userId });
      console.log('joined');`);
    await eventually(() => expect(watcher.sorted).toEqual(['both', 'one', 'two']), soon);
    child.process.kill('SIGKILL');
    const killedAt = performance.now();
    await child.ended;
    await eventually(() => expect(watcher.sorted).toEqual(['both']), soon);
    const afterMs = performance.now() - killedAt;
    expect(afterMs).toBeGreaterThan(990);
    expect(afterMs).toBeLessThan(2_500);
    expect(watcher.events.filter(({ leaves }) => leaves.length > 0)).toHaveLength(1);
    expect(await a.presence.devices('lobby')).toHaveLength(1);
    await eventually(async () => expect(await server.keys('*owned*')).toHaveLength(1), soon);
  });

  it('case 55: a process that stood still for two leases tells its members again', async () => {
    const a = await open();
    const watcher = watch(a);
    await ready(watcher);
    await a.presence.join('lobby', { userId: 'both' });
    const child = await startChild(`
      const { openApp, logged } = load('presence.testbed.ts');
      const { presence } = await openApp({ url: process.argv[1] });
      for (const userId of ['both', 'ann', 'ben']) await presence.join('lobby', { userId });
      console.log('joined');
      process.stdin.on('data', () => console.log(logged.join()));`);
    await eventually(() => expect(watcher.sorted).toEqual(['ann', 'ben', 'both']), soon);
    child.process.kill('SIGSTOP');
    await eventually(() => expect(watcher.sorted).toEqual(['both']), soon);
    child.process.kill('SIGCONT');
    await eventually(() => expect(watcher.sorted).toEqual(['ann', 'ben', 'both']), soon);
    await eventually(async () => expect(await a.presence.devices('lobby')).toHaveLength(4), soon);
    expect([watcher.joins.length, watcher.leaves.length]).toEqual([5, 2]);
    child.process.stdin.write('?');
    const [said] = (await once(child.process.stdout, 'data')) as [unknown];
    expect(String(said)).toContain('had forgotten this process');
    child.process.kill('SIGKILL');
    await child.ended;
  });

  it('a Redis that forgot everything is told all again, without anyone who is there being gone', async () => {
    const [a, b] = [await open(), await open()];
    await a.presence.join('lobby', { userId: 'ann' });
    await b.presence.join('lobby', { userId: 'ben' });
    const watcher = watch(a);
    await ready(watcher);
    await server.command('FLUSHALL');
    await a.room.node.beat();
    expect((await a.presence.list('lobby')).members).toEqual([{ userId: 'ann' }]);
    await b.room.node.beat();
    await eventually(async () => expect(await a.presence.count('lobby')).toBe(2), soon);
    await a.presence.join('lobby', { userId: 'cat' });
    await eventually(() => expect(watcher.sorted).toEqual(['ann', 'ben', 'cat']), soon);
    expect(watcher.leaves).toEqual([]);
  });

  it('case 56: who misses a diff asks once for what was missed', async () => {
    const [a, b] = [await open(), await open()];
    const watcher = watch(a);
    await ready(watcher);
    await b.presence.join('lobby', { userId: 'ann' });
    await eventually(() => expect(watcher.sorted).toEqual(['ann']), soon);
    const before = watcher.events.at(-1)!.version;
    // A diff that nobody was told of, as when a connection breaks.
    await server.command('HINCRBY', 'roost:presence:users:{room%3Alobby}', 'ben', 1);
    await server.command('HINCRBY', 'roost:presence:users:{room%3Alobby}', '', 1);
    await server.command(
      'XADD',
      'roost:presence:log:{room%3Alobby}',
      `${before + 1}-0`,
      'd',
      `{"v":${before + 1},"j":["ben"]}`,
    );
    const reads = (await server.commandStats()).xrange?.calls ?? 0;
    await b.presence.join('lobby', { userId: 'cat' });
    await eventually(() => expect(watcher.sorted).toEqual(['ann', 'ben', 'cat']), soon);
    expect((await server.commandStats()).xrange!.calls - reads).toBe(1);
    expect(watcher.events.slice(2).map(({ since, version }) => version - since)).toEqual([1, 1]);
  });

  it('case 65: the last application to close tells that all are gone, and leaves nothing', async () => {
    const a = await open();
    for (let i = 0; i < 100; i++) await a.presence.join('lobby', { userId: `user-${i}` });
    const ben = await a.presence.join('other', { userId: 'ben' });
    await ben.drop();
    const said = await server.monitor();
    await apps.pop()!.close();
    await eventually(
      () => expect(said.lines.filter((line) => line.includes('"PUBLISH"')).join()).toContain('user-99'),
      soon,
    );
    said.stop();
    expect(await server.command('HKEYS', 'roost:presence:users:{room%3Alobby}')).toEqual(['']);
    expect(await server.command('HLEN', 'roost:presence:members:{room%3Alobby}')).toBe(0);
    expect(await server.command('HKEYS', 'roost:presence:users:{room%3Aother}')).toEqual(['']);
    expect(await server.keys('*owned*')).toEqual([]);
    expect(await server.command('ZCARD', 'roost:{presence}:presence:nodes')).toBe(0);
  });

  it('users of an application that closes have their grace to come back to another', async () => {
    const [a, b] = [await open(), await open()];
    const watcher = watch(b);
    await ready(watcher);
    await a.presence.join('lobby', { userId: 'ann' });
    await a.presence.join('lobby', { userId: 'ben' });
    await eventually(() => expect(watcher.sorted).toEqual(['ann', 'ben']), soon);
    await apps.shift()!.close();
    await b.presence.join('lobby', { userId: 'ann' });
    await eventually(() => expect(watcher.leaves).toEqual(['ben']), soon);
    expect(watcher.joins).toEqual(['ann', 'ben']);
    expect(await b.presence.devices('lobby')).toHaveLength(1);
  });

  it('case 68: every key has a TTL, and all of a topic are in one slot', async () => {
    const a = await open();
    const ann = await a.presence.join('lobby', { userId: 'ann' });
    await (await a.presence.join('lobby', { userId: 'ben' })).drop();
    await ann.update('x');
    const keys = await server.keys();
    expect(keys.length).toBeGreaterThan(5);
    for (const key of keys) expect(await server.command('PTTL', key)).toBeGreaterThan(0);
    const lobby = keys.filter((key) => key.includes('lobby'));
    expect(lobby).toHaveLength(4);
    const slots = await Promise.all(
      lobby.map((key) => server.command('CLUSTER', 'KEYSLOT', key).catch(() => key.match(/\{.*?\}/)![0])),
    );
    expect(new Set(slots).size).toBe(1);
  });
});
