import { Metrics } from '@roost/redis';
import { eventually } from '@roost/testing';
import type { Server } from 'node:http';
import { promisify } from 'node:util';
import type { PresenceEvent } from '../watching/presence.event.js';
import { rawSocketOf, Stage, transports, type Client } from './gateway.testbed.js';
import { Peer } from './peer.js';
import { CLOSE, Frame, type Wire } from './wire.js';

const soon = { within: 5_000, every: 5 };

describe('a socket that takes nothing', () => {
  const limits = { maxWaiting: 10, slowBytes: 1_000, stuckBytes: 5_000 };
  const diff = (version: number, joins: string[], leaves: string[] = []): PresenceEvent => ({
    room: 'lobby',
    since: version - 1,
    version,
    joins: joins.map((userId) => ({ userId })),
    leaves: leaves.map((userId) => ({ userId })),
  });

  function open() {
    const sent: Frame[] = [];
    const wire = { id: 'x', address: undefined, silentMs: 0, bufferedBytes: 0 };
    const ends: unknown[] = [];
    const close = (...why: unknown[]) => void ends.push(why);
    const fake = {
      ...wire,
      send: (frame: Frame) => void sent.push(frame),
      close,
      terminate: () => close('terminated'),
      ended: () => undefined,
    };
    const counts = { closed: [] as string[], summaries: 0 };
    const metrics = { closed: (reason: string) => counts.closed.push(reason), summarized: () => counts.summaries++ };
    const peer = new Peer(fake as unknown as Wire, { userId: 'ann' }, limits, metrics as never);
    const tell = (event: PresenceEvent) => peer.tellPresence(new Frame('presence', event), event);
    return { peer, fake, sent, ends, counts, tell };
  }

  it('case 64: gets one summary of a thousand diffs when it has caught up, which comes to the same', async () => {
    const { fake, sent, tell, counts } = open();
    tell(diff(1, ['stays']));
    fake.bufferedBytes = 1_001;
    tell(diff(2, ['back', 'came'], ['stays']));
    tell(diff(3, ['stays'], ['back']));
    for (let i = 4; i < 1_004; i++) tell(diff(i, i % 2 ? [] : [`user-${i}`], i % 2 ? [`user-${i - 1}`] : []));
    tell(diff(1_004, ['last'], ['before']));
    expect(sent).toHaveLength(1);
    fake.bufferedBytes = 600;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(sent).toHaveLength(1); // only at half of the bound, so that it does not begin again at once
    fake.bufferedBytes = 500;
    await eventually(() => expect(sent).toHaveLength(2), soon);
    expect(sent[1]!.data).toEqual({ ...diff(1_004, ['came', 'last'], ['before']), since: 1 });
    expect(counts.summaries).toBe(1);
    tell(diff(1_005, ['next']));
    expect(sent).toHaveLength(3);
  });

  it('gets nothing that is worth nothing later, and a summary begins anew with a whole state', async () => {
    const { peer, fake, sent, tell } = open();
    fake.bufferedBytes = 1_001;
    peer.tellMaybe(new Frame('typing', {}));
    tell({ ...diff(5, ['x'], ['y']), updates: [{ userId: 'x', deviceId: 'd', meta: 1 }] });
    tell({ ...diff(7, ['a', 'b']), state: true, since: 0 });
    tell({ ...diff(8, [], ['b']), updates: [{ userId: 'a', deviceId: 'd', meta: 2 }], partial: true });
    fake.bufferedBytes = 0;
    await eventually(() => expect(sent).toHaveLength(1), soon);
    const updates = [{ userId: 'a', deviceId: 'd', meta: 2 }];
    expect(sent[0]!.data).toMatchObject({ state: true, version: 8, joins: [{ userId: 'a' }], updates, partial: true });
  });

  it('is closed when too much waits for it', () => {
    const { peer, fake, sent, ends, counts } = open();
    fake.bufferedBytes = 5_001;
    peer.tell(new Frame('message', {}));
    peer.tell(new Frame('message', {}));
    expect([sent.length, ends, counts.closed, peer.closed]).toEqual([1, [['terminated']], ['stuck'], true]);
    expect(CLOSE.tryAgainLater).toBe(1013);
  });
});

describe.each(Object.keys(transports) as (keyof typeof transports)[])('slow sockets over %s', (transport) => {
  const stage = new Stage(transport, () => ({}));
  const paused: { resume(): void }[] = [];
  afterEach(async () => {
    for (const raw of paused.splice(0)) raw.resume();
    await stage.close();
  });

  /** Reads nothing from now on, until the end of the test at the latest. */
  function pause(client: Client) {
    const raw = rawSocketOf(client);
    paused.push(raw);
    raw.pause();
    return raw;
  }

  it('case 64: what waits for one that does not read is bounded, others hear all at once, and it catches up', async () => {
    const app = await stage.open(
      { slowBytes: 1_000_000, stuckBytes: 100_000_000, ping: 60_000 },
      { goneAfter: 60_000 },
    );
    const [slow, quick] = [stage.connect(app, 'slow'), stage.connect(app, 'quick')];
    for (const client of [slow, quick]) client.send('join', { room: 'lobby' });
    await eventually(() => expect(slow.users()).toEqual(['quick', 'slow']), soon);
    const raw = pause(slow);
    // Fills what lies between, which takes some MB.
    const { registry } = app.app.get(Metrics);
    const summaries = async () => Number(/summaries_total (\d+)/.exec(await registry.metrics())![1]);
    const text = 'x'.repeat(4_000);
    let messages = 0;
    while ((await summaries()) === 0) {
      for (let i = 0; i < 500; i++) quick.send('message', { room: 'lobby', text });
      messages += 500;
      await eventually(() => expect(quick.of('message')).toHaveLength(messages), soon);
      await (await app.presence.join('lobby', { userId: `probe-${messages}` })).leave();
    }
    await eventually(() => expect(quick.list('leaves')).toHaveLength(messages / 500), soon);
    const before = quick.of('presence').length;
    for (let i = 0; i < 500; i++) {
      const member = await app.presence.join('lobby', { userId: `user-${i}` });
      if (i > 0) await member.leave();
      await new Promise(setImmediate);
    }
    await eventually(() => expect(quick.of('presence').length - before).toBe(999), soon);
    const heard = slow.of('presence').length;
    raw.resume();
    await eventually(() => expect(slow.users()).toEqual(['quick', 'slow', 'user-0']), soon);
    expect(slow.of('presence').length - heard).toBeLessThan(100);
    expect(slow.of('message')).toHaveLength(messages);
    expect(await summaries()).toBeLessThan(10);
  });

  it('one that never reads is ended', async () => {
    const app = await stage.open({ slowBytes: 1_000, stuckBytes: 200_000, ping: 60_000 });
    const [stuck, quick] = [stage.connect(app, 'stuck'), stage.connect(app, 'quick')];
    for (const client of [stuck, quick]) client.send('join', { room: 'lobby' });
    await eventually(() => expect(quick.users()).toEqual(['quick', 'stuck']), soon);
    pause(stuck);
    const text = 'x'.repeat(4_000);
    for (let i = 0; i < 40 && quick.list('leaves').length === 0; i++) {
      for (let k = 0; k < 50; k++) quick.send('message', { room: 'lobby', text });
      await eventually(() => expect(quick.of('message').length).toBe((i + 1) * 50), soon);
    }
    await eventually(() => expect(quick.list('leaves')).toEqual(['stuck']), soon);
    const connections = () =>
      promisify((done: (error: Error | null, n: number) => void) => server.getConnections(done))();
    const server = app.app.getHttpServer() as Server;
    await eventually(async () => expect(await connections()).toBe(1), soon);
  });

  it('one that reads nothing does not hold up the end of its process', async () => {
    const app = await stage.open({ ping: 60_000 }, { goneAfter: 60_000 });
    const asleep = stage.connect(app, 'asleep');
    asleep.send('join', { room: 'lobby' });
    await eventually(() => expect(asleep.users()).toEqual(['asleep']), soon);
    pause(asleep);
    const startedAt = performance.now();
    await app.close();
    expect(performance.now() - startedAt).toBeLessThan(2_500);
  });
});
