import { connect, type Connected } from '@roost/redis/testing';
import { RedisServer } from '@roost/testing';
import { JobStreams } from './stream-producer.js';

describe('JobStreams', () => {
  let server: RedisServer;
  let redis: Connected;
  let streams: JobStreams;

  beforeAll(async () => {
    server = await RedisServer.start();
    redis = await connect({ url: server.url, backend: 'auto' });
    streams = new JobStreams({ connections: { get: () => redis.connection } });
  });
  beforeEach(() => server.command('FLUSHALL'));
  afterAll(async () => {
    await redis.close();
    await server.stop();
  });

  it('adds a message under the name as it is', async () => {
    const id = await streams.add('booking_emails', { to: 'ada@example.org', tries: 2 });
    expect(await server.command('XRANGE', 'booking_emails', '-', '+')).toEqual([
      [id, ['to', 'ada@example.org', 'tries', '2']],
    ]);
  });

  it('adds many in order, and trims where it is told to', async () => {
    const messages = Array.from({ length: 1_200 }, (_, n) => ({ n }));
    const ids = await streams.addMany('s', messages, { maxLen: 100 });
    expect(ids).toHaveLength(1_200);
    expect(Number(await server.command('XLEN', 's'))).toBeLessThan(300);
    const [[last]] = (await server.command('XREVRANGE', 's', '+', '-', 'COUNT', 1)) as [[string]];
    expect(last).toBe(ids.at(-1));
  });

  it.each([
    ['', { a: '1' }, {}],
    ['s', {}, {}],
    ['s', { a: undefined }, {}],
    ['s', { a: Number.NaN }, {}],
    ['s', { a: '1' }, { maxLen: 0 }],
  ])('refuses what cannot be a message: %j %j %j', async (stream, fields, options) => {
    const refused = expect.objectContaining({ code: 'queue.invalid-message' });
    await expect(streams.add(stream, fields as never, options)).rejects.toEqual(refused);
    await expect(streams.addMany(stream, [{ ok: 1 }, fields as never], options)).rejects.toEqual(refused);
    expect(await server.keys()).toEqual([]);
  });

  it('tells a mistake from an outage', async () => {
    await server.command('SET', 's', 'no stream');
    await expect(streams.add('s', { a: 1 })).rejects.toMatchObject({ code: 'redis.reply' });
    await expect(streams.addMany('s', [{ a: 1 }])).rejects.toMatchObject({ code: 'redis.reply' });
  });

  it('rejects within its deadline when Redis is silent, and when it is gone', async () => {
    const outage = { code: 'queue.unavailable', httpStatus: 503, queue: 's' };
    server.freeze();
    const startedAt = performance.now();
    await expect(streams.add('s', { a: 1 })).rejects.toMatchObject({ ...outage, outcomeUnknown: true });
    expect(performance.now() - startedAt).toBeLessThan(600);
    server.thaw();
    await server.kill();
    await expect(streams.addMany('s', [{ a: 1 }])).rejects.toMatchObject({ ...outage, outcomeUnknown: true });
    await expect(streams.add('s', { a: 1 })).rejects.toMatchObject({ ...outage, outcomeUnknown: false });
  });
});
