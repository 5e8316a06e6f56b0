import { eventually } from '@roost/testing';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Fleet, ready } from './fleet.js';
import { ask, count, Load, slowest, statuses } from './load.js';

describe('Redis is there and does not serve', () => {
  let fleet: Fleet;
  let load: Load | undefined;
  beforeAll(async () => {
    // The delay is for each key that is loaded at a start, in µs.
    fleet = await Fleet.start({
      redis: { password: 'S3CRET-old', appendonly: true, args: ['--key-load-delay', '200'] },
    });
  });
  afterEach(async () => {
    await load?.stop();
    load = undefined;
    await eventually(() => fleet.allOn('redis'), { within: 15_000 });
  });
  afterAll(() => fleet.stop());

  /** No 5xx and nothing slow while Redis is like this, and memory serves for this reason. */
  async function endures(...reasons: string[]): Promise<void> {
    load = new Load(fleet.services, 200);
    const answers = await load.during(1_500);
    expect(statuses(answers)).toEqual([200]);
    expect(slowest(answers)).toBeLessThan(400);
    expect(await fleet.backends()).toEqual(['memory', 'memory']);
    expect(reasons).toContain((await ready(fleet.one)).details.redis.reason);
  }

  it('T9 writes are paused: served from memory meanwhile', async () => {
    await fleet.server.command('CLIENT', 'PAUSE', 3_000, 'WRITE');
    await endures('timeout');
  });

  it('T10 it became a replica: served from memory until there is a master again', async () => {
    await fleet.server.command('REPLICAOF', '127.0.0.1', '1');
    await endures('read_only');
    await fleet.server.command('REPLICAOF', 'NO', 'ONE');
  });

  it('T13 it is full: a PING would say all is well', async () => {
    await fleet.server.command('CONFIG', 'SET', 'maxmemory', '1');
    expect(await fleet.server.command('PING')).toBe('PONG');
    await endures('full');
    await fleet.server.command('CONFIG', 'SET', 'maxmemory', '0');
  });

  it('T14 a replica has lost its master and refuses even reads', async () => {
    await fleet.server.command('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
    await fleet.server.command('REPLICAOF', '127.0.0.1', '1');
    await endures('not_ready', 'read_only'); // a read is answered MASTERDOWN, a write READONLY
    await fleet.server.command('REPLICAOF', 'NO', 'ONE');
  });

  it('T14 an endless script keeps it busy, and no reconnect storm follows', async () => {
    await fleet.server.command('CONFIG', 'SET', 'busy-reply-threshold', '50');
    const before = await connections();
    const endless = fleet.server.command('EVAL', 'while true do end', 0).catch(() => undefined);
    load = new Load(fleet.services, 200);
    const answers = await load.during(2_000);
    await fleet.server.command('SCRIPT', 'KILL');
    await endless;
    expect(statuses(answers)).toEqual([200]);
    expect(slowest(answers)).toBeLessThan(400);
    expect((await connections()) - before).toBeLessThan(80);
  });

  it('T14 its scripts are flushed: loaded again, charged once', async () => {
    await fleet.server.command('SCRIPT', 'FLUSH');
    expect(await count([fleet.one], 101, () => 'free-flushed', 1)).toEqual({ 200: 100, 429: 1 });
  });

  it('T15 its password was changed: served from memory, no secret in any output, back with the old one', async () => {
    await fleet.server.command('CONFIG', 'SET', 'requirepass', 'S3CRET-new');
    await fleet.server.command('CLIENT', 'KILL', 'TYPE', 'normal');
    await endures('auth');
    await fleet.server.command('CONFIG', 'SET', 'requirepass', 'S3CRET-old');
    await eventually(() => fleet.allOn('redis'), { within: 10_000 });
    const bodies = await Promise.all(
      ['/metrics', '/readyz', '/admin/state', '/docs/openapi.json'].map(async (path) =>
        (await fleet.one.fetch(path)).text(),
      ),
    );
    expect(fleet.services.map((service) => service.output).join() + bodies.join()).not.toContain('S3CRET');
  });

  it('T14 it is loading its data: not asked before it has, and nothing fails', async () => {
    for (let i = 0; i < 4; i++)
      await fleet.server.command('DEBUG', 'POPULATE', 2_000, `filler-${i}`, 10).catch(() => 0);
    await fleet.server.command('EVAL', `for i = 1, 8000 do redis.call('SET', 'k' .. i, i) end`, 0);
    load = new Load(fleet.services, 100);
    const restarting = fleet.server.kill().then(() => fleet.server.restart());
    const answers = await load.during(2_500);
    await restarting;
    await eventually(() => fleet.allOn('redis'), { within: 15_000 });
    expect(statuses(answers)).toEqual([200]);
    expect(slowest(answers)).toBeLessThan(400);
  });

  it('T16 it takes no more clients: a further instance starts on memory, and takes Redis up when there is room', async () => {
    const crowd = Array.from({ length: 30 }, () => connect(fleet.server.port, '127.0.0.1'));
    await Promise.all(crowd.map((each) => once(each, 'connect')));
    const clients = Number(/connected_clients:(\d+)/.exec(String(await fleet.server.command('INFO', 'clients')))![1]);
    await fleet.server.command('CONFIG', 'SET', 'maxclients', clients - 1); // who asked is one of them
    const service = await fleet.add();
    expect(await ready(service)).toMatchObject({ status: 'degraded', details: { redis: { current: 'memory' } } });
    expect((await ask(service, 'pro-1')).status).toBe(200);
    for (const each of crowd) each.destroy();
    await eventually(async () => (await ready(service)).status === 'ok', { within: 10_000 });
  });

  async function connections(): Promise<number> {
    const info = String(await fleet.server.command('INFO', 'stats'));
    return Number(/total_connections_received:(\d+)/.exec(info)![1]);
  }
});
