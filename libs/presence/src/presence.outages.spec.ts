import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { openApp, Watcher, type PresenceApp } from './presence.testbed.js';

const soon = { within: 5_000, every: 5 };

describe('presence while Redis is away', () => {
  let server: RedisServer;
  const apps: PresenceApp[] = [];
  const watchers: Watcher[] = [];
  beforeEach(async () => void (server = await RedisServer.start()));
  afterEach(async () => {
    for (const watcher of watchers.splice(0)) watcher.stop();
    await Promise.all(apps.splice(0).map((app) => app.close()));
    await server.stop();
  });

  async function open({ url } = { url: server.url }): Promise<PresenceApp> {
    const app = await openApp({ url, commandTimeoutMs: 250 });
    apps.push(app);
    return app;
  }

  async function watch({ presence }: PresenceApp, since?: number): Promise<Watcher> {
    const watcher = new Watcher(presence, 'lobby', since);
    watchers.push(watcher);
    await eventually(() => expect(watcher.events.length).toBeGreaterThan(0), soon);
    return watcher;
  }

  const lostIn = (...all: PresenceApp[]) =>
    eventually(() => expect(all.map(({ presence }) => presence.partial)).toEqual(all.map(() => true)), soon);
  const backIn = (...all: PresenceApp[]) =>
    eventually(() => expect(all.map(({ presence }) => presence.partial)).toEqual(all.map(() => false)), soon);
  const names = async ({ presence }: PresenceApp) =>
    (await presence.list('lobby')).members.map(({ userId }) => userId).sort();

  it('case 66: with a Redis that comes back empty nobody is told to leave who did not', async () => {
    const [a, b] = [await open(), await open()];
    await a.presence.join('lobby', { userId: 'ann' });
    const ben = await b.presence.join('lobby', { userId: 'ben' });
    const watcher = await watch(a);
    expect(watcher.sorted).toEqual(['ann', 'ben']);

    await server.kill();
    await a.presence.list('lobby'); // something has to find out
    await b.presence.list('lobby');
    await lostIn(a, b);

    // Own members only, and it says so.
    expect(await a.presence.list('lobby')).toEqual({
      room: 'lobby',
      version: 0,
      members: [{ userId: 'ann' }],
      partial: true,
    });
    expect(await b.presence.count('lobby')).toBe(1);
    expect([...(await a.presence.online(['ann', 'ben']))]).toEqual(['ann']);
    expect(await a.presence.devices('lobby')).toHaveLength(1);
    expect([await a.presence.lastSeen('ben'), await a.presence.lastSeen('ann')]).toEqual([null, expect.any(Date)]);
    expect(a.room.report()).toMatchObject({ status: 'degraded', partial: true });
    expect(watcher.events.at(-1)).toMatchObject({ joins: [], leaves: [], partial: true });

    // Who comes is told here, who goes is only known for sure by those who came in the meantime.
    const cat = await a.presence.join('lobby', { userId: 'cat' });
    expect(cat.version).toBeUndefined();
    const dan = await a.presence.join('lobby', { userId: 'dan' });
    await dan.leave();
    await ben.leave();
    await eventually(() => expect(watcher.leaves).toEqual(['dan']), soon);
    expect(watcher.joins).toEqual(['cat', 'dan']);
    await server.restart();
    await backIn(a, b);
    await eventually(async () => expect(await names(a)).toEqual(['ann', 'cat']), soon);
    expect(await names(b)).toEqual(['ann', 'cat']);
    await eventually(() => expect(watcher.sorted).toEqual(['ann', 'cat']), soon);
    expect(watcher.leaves.sort()).toEqual(['ben', 'dan']);
    expect(watcher.events.at(-1)).not.toHaveProperty('partial');
    await eventually(async () => expect(await a.presence.devices('lobby')).toHaveLength(2), soon);
  });

  it('case 66: a Redis that stands still for longer than a lease makes nobody leave who did not', async () => {
    const [a, b] = [await open(), await open()];
    await a.presence.join('lobby', { userId: 'ann' });
    const ben = await b.presence.join('lobby', { userId: 'ben' });
    await b.presence.join('lobby', { userId: 'dan' });
    const watcher = await watch(a);
    server.freeze();
    const frozenAt = performance.now();
    await a.presence.list('lobby'); // something has to find out
    await b.presence.list('lobby');
    await lostIn(a, b);
    expect(await names(a)).toEqual(['ann']);
    await a.presence.join('lobby', { userId: 'cat' });
    await ben.leave();
    await eventually(() => performance.now() - frozenAt > 900, soon);
    server.thaw();
    await backIn(a, b);
    await eventually(() => expect(watcher.sorted).toEqual(['ann', 'cat', 'dan']), soon);
    for (const app of [a, b])
      await eventually(async () => expect(await names(app)).toEqual(['ann', 'cat', 'dan']), soon);
    expect(watcher.leaves).toEqual(['ben']);
    expect(watcher.events.at(-1)).not.toHaveProperty('partial');
    await eventually(async () => expect(await a.presence.devices('lobby')).toHaveLength(3), soon);
    const later = performance.now() + 700; // another lease
    await eventually(() => performance.now() > later, soon);
    expect(watcher.leaves).toEqual(['ben']);
  });

  it('case 66: to a process that was cut off for longer than a lease none of its own is told to leave', async () => {
    const proxy = await FaultProxy.start({ target: server });
    const [a, b] = [await open(), await open(proxy)];
    await a.presence.join('lobby', { userId: 'ann' });
    for (let i = 0; i < 10; i++) await b.presence.join('lobby', { userId: `user-${i}` });
    const [far, near] = [await watch(a), await watch(b)];
    await eventually(() => expect(far.users.size).toBe(11), soon);
    await proxy.refuse();
    await b.presence.list('lobby'); // something has to find out
    await eventually(() => expect(far.sorted).toEqual(['ann']), soon); // others cannot know better
    await proxy.pass();
    await backIn(b);
    await eventually(() => expect(far.users.size).toBe(11), soon);
    await eventually(async () => expect(await names(b)).toHaveLength(11), soon);
    expect([near.joins, near.leaves, near.users.size]).toEqual([[], [], 11]);
    await proxy.stop();
  });

  it('begins without Redis, alone, and is one of several as soon as it is there', async () => {
    await server.kill();
    const [a, b] = [await open(), await open()];
    expect(a.presence.partial).toBe(true);
    await a.presence.join('lobby', { userId: 'ann' });
    await b.presence.join('lobby', { userId: 'ben' });
    const watcher = await watch(a);
    expect(watcher.events[0]).toMatchObject({ state: true, joins: [{ userId: 'ann' }], partial: true });
    await server.restart();
    await backIn(a, b);
    await eventually(() => expect(watcher.sorted).toEqual(['ann', 'ben']), soon);
    expect(watcher.leaves).toEqual([]);
    expect(await names(b)).toEqual(['ann', 'ben']);
  });

  it('closes at once without Redis', async () => {
    const a = await open();
    await a.presence.join('lobby', { userId: 'ann' });
    await server.kill();
    const startedAt = performance.now();
    await apps.pop()!.close();
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });
});

describe('presence without Redis', () => {
  it('is whole in this process, with graces', async () => {
    const { presence, close, room } = await openApp({});
    const watcher = new Watcher(presence, 'lobby');
    const ann = await presence.join('lobby', { userId: 'ann' });
    await eventually(() => expect(watcher.sorted).toEqual(['ann']), soon);
    expect(await presence.list('lobby')).toMatchObject({ members: [{ userId: 'ann' }], partial: false });
    await ann.drop(300);
    expect(await presence.count('lobby')).toBe(1);
    await eventually(() => expect(watcher.leaves).toEqual(['ann']), soon);
    expect(room.report()).toMatchObject({ status: 'up', backend: 'memory' });
    watcher.stop();
    await close();
  });
});
