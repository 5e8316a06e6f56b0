import { eventually, FaultProxy, RedisServer } from '@roost/testing';
import { setTimeout as delay } from 'node:timers/promises';
import type { StreamReport } from './stream-duty.js';
import { StreamsTestbed, textsOf } from './streams.testbed.js';

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String(from + i));

describe('streams while Redis fails', () => {
  let server: RedisServer;
  let bed: StreamsTestbed;

  beforeAll(async () => {
    server = await RedisServer.start({ appendonly: true, args: ['--appendfsync', 'always'] });
    bed = new StreamsTestbed(server);
  });
  beforeEach(() => server.command('FLUSHALL'));
  afterEach(() => bed.close());
  afterAll(() => server.stop());

  /** Whether somebody waits for what is new. */
  const blocked = async () => String(await server.command('INFO', 'clients')).includes('blocked_clients:1\r');
  const quiet = async () => expect(await bed.pending()).toEqual([]);

  it('loses nothing when Redis is killed and comes back, and runs nothing twice that still runs', async () => {
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const peer = await bed.peer({ concurrency: 4, minIdle: '1s' }, async ({ fields }) => {
      if (fields.text === '0') await gate;
      else await delay(5);
    });
    await bed.add(...numbers(0, 20));
    await eventually(() => peer.seen.length > 4, { within: 1_000 });
    await server.kill();
    await eventually(() => peer.consumers.report().status === 'degraded', { within: 2_000 });
    await server.restart();
    await bed.add(...numbers(20, 40));
    await eventually(() => expect(new Set(textsOf(peer))).toEqual(new Set(numbers(0, 40))), { within: 4_000 });
    release();
    await eventually(quiet, { within: 2_000 });
    expect(textsOf(peer).filter((text) => text === '0')).toHaveLength(1);
    expect(peer.consumers.report().status).toBe('up');
    const events = peer.redis.logged
      .map(({ details }) => details.event)
      .filter((each) => String(each).startsWith('stream'));
    expect(events).toEqual(['stream.lost', 'stream.back']);
  });

  it('goes on when Redis was emptied, and handles what is left of it here alone', async () => {
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const peer = await bed.peer({ from: '$', maxDeliveries: 2, concurrency: 3 }, async ({ fields }) => {
      await gate;
      if (fields.text === 'bad') throw new Error('never');
    });
    await eventually(() => peer.consumers.report().status === 'up', { within: 1_000 });
    await bed.add('1', 'bad', '3');
    await eventually(() => peer.seen.length === 3, { within: 1_000 });
    await server.command('EVAL', "redis.call('FLUSHALL') redis.call('XADD', 's', '*', 'text', '4')", 0);
    release();
    await eventually(() => expect(textsOf(peer).toSorted()).toEqual(['1', '3', '4', 'bad', 'bad']), { within: 3_000 });
    await eventually(async () => expect(await bed.messages('s:dead')).toMatchObject([{ text: 'bad' }]), {
      within: 2_000,
    });
    await eventually(quiet, { within: 1_000 });
    expect(peer.redis.logged.map(({ details }) => details.event)).toContain('stream.group-gone');
  });

  it('begins when Redis comes, where it was not there at the start', async () => {
    await server.kill();
    const peer = await bed.peer();
    expect(peer.consumers.report().status).toBe('degraded');
    await server.restart();
    await bed.add('x');
    await eventually(() => expect(textsOf(peer)).toEqual(['x']), { within: 3_000 });
  });

  it('does not take the silence of a frozen Redis for an empty stream', async () => {
    const peer = await bed.peer({ minIdle: '400ms' });
    await eventually(() => peer.consumers.report().status === 'up', { within: 1_000 });
    server.freeze();
    await eventually(() => peer.consumers.report().status === 'degraded', { within: 2_000 });
    server.thaw();
    await bed.add('x');
    await eventually(() => expect(textsOf(peer)).toEqual(['x']), { within: 3_000 });
    await eventually(quiet, { within: 1_000 });
  });

  it('handles what was delivered to it and never arrived', async () => {
    const proxy = await FaultProxy.start({ target: server });
    const peer = await bed.peer({ minIdle: '60s' }, () => undefined, proxy.url);
    await eventually(blocked, { within: 1_000 });
    await proxy.dropReplies({ thenReset: true, once: true, to: 'xreadgroup' });
    await bed.add('1');
    await eventually(() => peer.seen.length === 1, { within: 1_000 });
    await eventually(blocked, { within: 1_000 });
    await bed.add('2');
    await eventually(() => expect(textsOf(peer)).toEqual(['1', '2']), { within: 3_000 });
    await eventually(quiet, { within: 1_000 });
    expect(peer.seen[1]!.deliveries).toBe(2);
    await peer.stop();
    await proxy.stop();
  });

  it('acknowledges when Redis is back what was handled while it was away', async () => {
    const proxy = await FaultProxy.start({ target: server });
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const peer = await bed.peer({ minIdle: '60s' }, () => gate, proxy.url);
    await bed.add('x');
    await eventually(() => peer.seen.length === 1, { within: 1_000 });
    await proxy.refuse();
    release();
    await delay(50);
    expect(await bed.pending()).toHaveLength(1);
    await proxy.pass();
    await eventually(quiet, { within: 3_000 });
    expect(peer.seen).toHaveLength(1);
    await peer.stop();
    await proxy.stop();
  });

  describe('at the end', () => {
    it('waits for what runs, acknowledges it, gives the rest to others at once and leaves', async () => {
      let release!: () => void;
      const gate = new Promise<void>((resolve) => (release = resolve));
      const peer = await bed.peer({ minIdle: '400ms', batch: 4 }, async ({ fields }) => {
        if (fields.text === '1') await gate;
      });
      /** Of what is on its way while the reading ends Redis alone knows that it was delivered. */
      const allHasArrived = async () => {
        const [{ running, waiting }] = peer.consumers.report().streams as [StreamReport];
        return (await bed.pending()).length === running + waiting;
      };
      await bed.add(...numbers(0, 6));
      await eventually(async () => peer.seen.length === 2 && (await allHasArrived()), { within: 1_000 });
      await delay(20); // for a reading that had begun
      await eventually(allHasArrived, { within: 1_000 });
      const stopped = peer.stop(1_000);
      release();
      await stopped;
      expect(textsOf(peer)).toEqual(['0', '1']);
      for (const [, , idle, deliveries] of await bed.pending()) {
        expect(idle).toBeGreaterThanOrEqual(400);
        expect(deliveries).toBe(0);
      }
      expect((await bed.messages('s')).map(({ text }) => text)).toEqual(numbers(2, 6));
      const heir = await bed.peer({ minIdle: '400ms' });
      await eventually(() => expect(textsOf(heir).toSorted()).toEqual(numbers(2, 6)), { within: 1_000 });
      expect(heir.seen.every(({ deliveries }) => deliveries === 1)).toBe(true);
    });

    it('gives nothing away that is half done', async () => {
      const peer = await bed.peer({ minIdle: '300ms' }, () => new Promise(() => undefined));
      await bed.add('x');
      await eventually(() => peer.seen.length === 1, { within: 1_000 });
      const startedAt = performance.now();
      await peer.stop(100);
      expect(performance.now() - startedAt).toBeLessThan(400);
      expect(peer.seen[0]!.signal.reason).toMatchObject({ code: 'queue.handed-back' });
      const [[, consumer, idle]] = (await bed.pending()) as [[string, string, number, number]];
      expect(consumer).toBe(peer.consumers.consumer);
      expect(idle).toBeLessThan(300);
      const heir = await bed.peer({ minIdle: '300ms' });
      await eventually(() => expect(heir.seen).toMatchObject([{ deliveries: 2 }]), { within: 1_500 });
    });

    it('gives back uncounted what stops when it is told to', async () => {
      const peer = await bed.peer({}, ({ signal }) => {
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      });
      await bed.add('x');
      await eventually(() => peer.seen.length === 1, { within: 1_000 });
      await peer.stop(20);
      const heir = await bed.peer();
      await eventually(() => expect(heir.seen).toMatchObject([{ deliveries: 1 }]), { within: 1_000 });
    });

    it('leaves no consumer behind that has nothing', async () => {
      const peer = await bed.peer();
      await bed.add('x');
      await eventually(() => peer.seen.length === 1, { within: 1_000 });
      await peer.stop();
      expect(await server.command('XINFO', 'CONSUMERS', 's', 'g')).toEqual([]);
    });

    it('ends in time without a Redis', async () => {
      const peer = await bed.peer();
      await eventually(() => peer.consumers.report().status === 'up', { within: 1_000 });
      await server.kill();
      const startedAt = performance.now();
      await peer.consumers.stop(100);
      expect(performance.now() - startedAt).toBeLessThan(1_000);
      await server.restart();
    });
  });
});
