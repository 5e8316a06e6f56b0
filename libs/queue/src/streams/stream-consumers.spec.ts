import { eventually, RedisServer } from '@roost/testing';
import { connect } from '@roost/redis/testing';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { StreamConsumers } from './stream-consumers.js';
import { metricOf, StreamsTestbed, textsOf } from './streams.testbed.js';

describe('StreamConsumers', () => {
  let server: RedisServer;
  let bed: StreamsTestbed;

  beforeAll(async () => {
    server = await RedisServer.start();
    bed = new StreamsTestbed(server);
  });
  beforeEach(() => server.command('FLUSHALL'));
  afterEach(() => bed.close());
  afterAll(() => server.stop());

  const quiet = async () => expect(await bed.pending()).toEqual([]);

  it('handles 2 000 messages of another language exactly once, shared by two processes, and leaves nothing', async () => {
    const texts = Array.from({ length: 2_000 }, () => randomUUID());
    await server.command(
      'EVAL',
      "for _, t in ipairs(ARGV) do redis.call('XADD', 's', '*', 'text', t) end",
      0,
      ...texts,
    );
    const a = await bed.peer({ concurrency: 8 }, () => delay(1));
    const b = await bed.peer({ concurrency: 8 }, () => delay(1));
    await eventually(() => a.seen.length + b.seen.length >= 2_000, { within: 5_000 });
    await eventually(quiet, { within: 1_000 });
    expect([...textsOf(a), ...textsOf(b)].toSorted()).toEqual(texts.toSorted());
    expect(Math.min(a.seen.length, b.seen.length)).toBeGreaterThan(100);
    expect(await server.command('XLEN', 's')).toBe(0);
    const { xreadgroup, xack } = await server.commandStats();
    expect(xreadgroup!.calls + xack!.calls).toBeLessThan(1_000);
  });

  it('handles in order what one handler takes at a time, and hands it fields, id and signal', async () => {
    const peer = await bed.peer();
    const ids = await bed.add('1', '2', '3');
    await eventually(() => expect(textsOf(peer)).toEqual(['1', '2', '3']), { within: 1_000 });
    const [first] = peer.seen;
    expect(first).toMatchObject({ id: ids[0], stream: 's', data: { text: '1' }, deliveries: 1 });
    expect(first!.signal.aborted).toBe(false);
  });

  it('tries again what a handler threw at, before anybody else takes it over', async () => {
    const peer = await bed.peer({ minIdle: '60s' }, ({ deliveries }) => {
      if (deliveries < 3) throw new Error('not yet');
    });
    await bed.add('x');
    await eventually(() => expect(peer.seen.map(({ deliveries }) => deliveries)).toEqual([1, 2, 3]), { within: 2_000 });
    await eventually(quiet, { within: 500 });
    expect(await metricOf(peer, 'roost_stream_messages_total', { outcome: 'failed' })).toBe(2);
    await eventually(
      async () => expect(await metricOf(peer, 'roost_stream_messages_total', { outcome: 'done' })).toBe(1),
      { within: 500 },
    );
  });

  it('takes over what a killed process had after minIdle, and not before', async () => {
    const [id] = await bed.add('x');
    await bed.readAndDie(1);
    const peer = await bed.peer({ minIdle: '400ms' });
    await delay(50);
    expect(peer.seen).toEqual([]);
    await eventually(() => expect(peer.seen).toMatchObject([{ id, deliveries: 2 }]), { within: 2_000 });
    await eventually(quiet, { within: 500 });
  });

  it('takes over nothing that a slow process still works at', async () => {
    const slow = await bed.peer({ minIdle: '150ms' }, () => delay(600));
    await bed.add('x');
    await eventually(() => slow.seen.length === 1, { within: 500 });
    const other = await bed.peer({ minIdle: '150ms' });
    await eventually(quiet, { within: 2_000 });
    expect([slow.seen.length, other.seen.length]).toEqual([1, 0]);
  });

  it('tells a handler whose message another process has taken over', async () => {
    let signal: AbortSignal | undefined;
    const peer = await bed.peer({ minIdle: '150ms' }, async (message) => {
      ({ signal } = message);
      await new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason as Error)));
    });
    const [id] = await bed.add('x');
    await eventually(() => peer.seen.length === 1, { within: 500 });
    await server.command('XCLAIM', 's', 'g', 'other', 0, id!);
    await eventually(() => signal!.aborted, { within: 1_000 });
    expect(signal!.reason).toMatchObject({ code: 'queue.message-taken' });
    await eventually(() => peer.consumers.report().streams[0]!.running === 0, { within: 500 });
    expect((await bed.pending()).map(([, consumer]) => consumer)).toEqual(['other']);
  });

  it('buries nothing that another process has taken over', async () => {
    let fail!: (error: Error) => void;
    const peer = await bed.peer(
      { minIdle: '60s', maxDeliveries: 1 },
      () => new Promise((_, reject) => (fail = reject)),
    );
    const [id] = await bed.add('x');
    await eventually(() => peer.seen.length === 1, { within: 500 });
    await server.command('XCLAIM', 's', 'g', 'other', 0, id!);
    fail(new Error('never mind'));
    await eventually(
      async () => expect(await metricOf(peer, 'roost_stream_messages_total', { outcome: 'taken' })).toBe(1),
      { within: 500 },
    );
    expect(await server.command('EXISTS', 's:dead')).toBe(0);
    expect((await bed.pending()).map(([, consumer]) => consumer)).toEqual(['other']);
  });

  it('counts the delivery of what waited here for long', async () => {
    const peer = await bed.peer({ minIdle: '150ms' }, ({ fields }) => delay(fields.text === 'quick' ? 0 : 250));
    await bed.add('quick');
    await eventually(() => peer.seen.length === 1, { within: 500 });
    const ids = await bed.add('slow', 'waits');
    const deliveries = async () => (await bed.pending()).find(([id]) => id === ids[1])?.[3];
    await eventually(async () => expect(await deliveries()).toBe(0), { within: 500 });
    await eventually(() => peer.seen.length === 3, { within: 1_000 });
    expect(await deliveries()).toBe(1);
  });

  it('puts a poisonous message among the dead letters once, with where it came from', async () => {
    const fail = () => {
      throw new Error('poison');
    };
    const a = await bed.peer({ maxDeliveries: 3 }, fail);
    const b = await bed.peer({ maxDeliveries: 3 }, fail);
    const [id] = await bed.add('x');
    await eventually(async () => expect(await bed.messages('s:dead')).toHaveLength(1), { within: 3_000 });
    await quiet();
    const [letter] = await bed.messages('s:dead');
    const origin = { 'roost:id': id, 'roost:stream': 's', 'roost:group': 'g' };
    expect(letter).toMatchObject({ text: 'x', 'roost:reason': 'poison', 'roost:deliveries': '3', ...origin });
    expect(Math.abs(Number(letter!['roost:at']) - Date.now())).toBeLessThan(10_000);
    expect([...a.seen, ...b.seen].map(({ deliveries }) => deliveries)).toEqual([1, 2, 3]);
    expect(await server.command('XLEN', 's')).toBe(0);
  });

  it('buries what killed its process too often, and not what waited beside it', async () => {
    const [poison, innocent] = await bed.add('poison', 'innocent');
    await bed.readAndDie(2);
    const held = (id: string, deliveries: number) =>
      server.command('XCLAIM', 's', 'g', 'dead', 0, id, 'IDLE', 60_000, 'RETRYCOUNT', deliveries);
    await held(poison!, 5);
    await held(innocent!, 4);
    const peer = await bed.peer();
    await eventually(() => expect(peer.seen).toMatchObject([{ id: innocent, deliveries: 5 }]), { within: 2_000 });
    await eventually(quiet, { within: 1_000 });
    const reason = 'delivered 5 times and never acknowledged';
    expect(await bed.messages('s:dead')).toMatchObject([{ 'roost:id': poison, 'roost:reason': reason }]);
  });

  it('does not count as a delivery that a message waited in a process that died', async () => {
    const [, waits] = await bed.add('runs', 'waits');
    await bed.readAndDie(2);
    const peer = await bed.peer({ minIdle: '150ms' }, () => new Promise(() => undefined));
    await eventually(() => peer.seen.length === 1, { within: 1_000 });
    await delay(40);
    const [, , , deliveries] = (await bed.pending()).find(([id]) => id === waits)!;
    expect(deliveries).toBe(1);
  });

  it('gives up at once what the schema refuses, and hands on what it makes of the rest', async () => {
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) => {
          const { text } = value as { text: string };
          return /^\d+$/.test(text)
            ? { value: Number(text) }
            : { issues: [{ message: 'not a number', path: ['text'] }] };
        },
      },
    };
    const peer = await bed.peer({ schema });
    await bed.add('one', '2');
    await eventually(() => expect(peer.seen).toMatchObject([{ data: 2 }]), { within: 1_000 });
    await eventually(quiet, { within: 500 });
    const [letter] = await bed.messages('s:dead');
    expect(letter).toMatchObject({ text: 'one', 'roost:reason': 'refused by the schema: data.text: not a number' });
    expect(await metricOf(peer, 'roost_stream_messages_total', { outcome: 'refused' })).toBe(1);
  });

  it('survives fields of any kind', async () => {
    const peer = await bed.peer();
    await server.command('XADD', 's', '*', '__proto__', 'a', 'constructor', 'b', '', '', 'é\u0000', '\uFFFD');
    const many = Array.from({ length: 3_000 }, (_, i) => [`f${i}`, 'x']).flat();
    await server.command('XADD', 's', '*', ...many);
    await bed.add('after');
    await eventually(() => peer.seen.length === 3, { within: 1_000 });
    const [strange] = peer.seen;
    expect(Object.entries(strange!.fields)).toContainEqual(['__proto__', 'a']);
    expect(Object.getPrototypeOf(strange!.fields)).toBe(Object.prototype);
  });

  it('fails what takes too long, whatever its handler does later', async () => {
    const peer = await bed.peer({ timeout: '60ms', maxDeliveries: 1 }, () => delay(300));
    await bed.add('x');
    await eventually(async () => expect(await bed.messages('s:dead')).toHaveLength(1), { within: 1_000 });
    const [letter] = await bed.messages('s:dead');
    expect(letter!['roost:reason']).toContain('60 ms');
    expect(peer.seen[0]!.signal.reason).toMatchObject({ code: 'queue.timeout' });
  });

  it('does not try again what a handler calls unrecoverable', async () => {
    const peer = await bed.peer({}, () => {
      throw Object.assign(new Error('no such customer'), { name: 'UnrecoverableError' });
    });
    await bed.add('x');
    await eventually(async () => expect(await bed.messages('s:dead')).toHaveLength(1), { within: 1_000 });
    expect(peer.seen).toHaveLength(1);
  });

  it('deletes nothing that another group may be yet to read, and says so', async () => {
    await server.command('XGROUP', 'CREATE', 's', 'other', '0', 'MKSTREAM');
    await bed.add('x');
    const peer = await bed.peer();
    await eventually(() => peer.seen.length === 1, { within: 1_000 });
    await eventually(quiet, { within: 500 });
    expect(await server.command('XLEN', 's')).toBe(1);
    const events = () => peer.redis.logged.map(({ details }) => details.event);
    await eventually(() => events().includes('stream.shared'), { within: 500 });
  });

  it('begins with what comes, where it is told to', async () => {
    await bed.add('old');
    const peer = await bed.peer({ from: '$' });
    await eventually(() => peer.consumers.report().streams[0]!.reading, { within: 1_000 });
    await bed.add('new');
    await eventually(() => expect(textsOf(peer)).toEqual(['new']), { within: 1_000 });
  });

  it('shows how a stream is, and knows it without asking', async () => {
    const peer = await bed.peer({}, () => new Promise(() => undefined));
    await bed.add('1', '2', '3');
    await eventually(() => peer.seen.length === 1, { within: 1_000 });
    const other = await bed.peer({}, () => new Promise(() => undefined));
    await eventually(
      () =>
        expect(other.consumers.report()).toMatchObject({
          status: 'up',
          streams: [{ stream: 's', group: 'g', reading: true, running: 1, deadLetters: 0 }],
        }),
      { within: 1_000 },
    );
    await eventually(() => other.consumers.report().streams[0]!.pending! >= 1, { within: 1_000 });
  });

  it('reads nothing without a Redis, and says so once', async () => {
    const redis = await connect({});
    const warn = jest.fn();
    const logger = { log: warn, warn, error: warn };
    const consumers = new StreamConsumers({
      connections: { get: () => redis.connection },
      metrics: redis.metrics,
      logger,
    });
    for (const stream of ['a', 'b']) {
      consumers.add({ at: stream, stream, options: { group: 'g' }, handle: async () => undefined });
    }
    expect(() =>
      consumers.add({ at: 'c', stream: 'a', options: { group: 'g' }, handle: async () => undefined }),
    ).toThrow(expect.objectContaining({ code: 'queue.conflicting-handlers' }));
    consumers.start();
    expect(warn.mock.calls).toMatchObject([[expect.stringContaining('"a"'), { event: 'stream.idle' }]]);
    expect(consumers.report()).toEqual({ status: 'up', streams: [] });
    await consumers.stop(100);
    await redis.close();
  });
});
