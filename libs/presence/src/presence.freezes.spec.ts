import { eventually, RedisServer } from '@roost/testing';
import { openApp, Watcher, type PresenceApp } from './presence.testbed.js';

const soon = { within: 5_000, every: 5 };

describe('presence while Redis stands still', () => {
  let server: RedisServer;
  const apps: PresenceApp[] = [];
  const watchers: Watcher[] = [];
  beforeEach(async () => void (server = await RedisServer.start()));
  afterEach(async () => {
    for (const watcher of watchers.splice(0)) watcher.stop();
    await Promise.all(apps.splice(0).map((app) => app.close()));
    await server.stop();
  });

  async function open(): Promise<PresenceApp> {
    const app = await openApp({ url: server.url, commandTimeoutMs: 250 });
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
});
