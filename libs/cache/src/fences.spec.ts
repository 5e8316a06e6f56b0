import { RedisServer } from '@roost/testing';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateRawSync } from 'node:zlib';
import { becomes, LONG, openNode, Origin, wireOf, type CacheNode } from './cache.testbed.js';
import { Versions, writeEnvelope } from './values/envelope.js';

/** What tries to get past the fences: loads that `expire` finds under way, leases and failures of strangers. */
describe('fences', () => {
  let server: RedisServer;
  const opened: CacheNode[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()));
  });
  afterAll(() => server.stop());

  async function open(): Promise<CacheNode> {
    const node = await openNode({ url: server.url });
    opened.push(node);
    return node;
  }

  it('a value that is renewed while it is expired stays expired', async () => {
    const [a, b] = [await open(), await open()];
    await a.cache.set('renewed', 'OLD', { ttl: '1m', grace: '10m', jitter: 0 });
    await sleep(10);
    const origin = new Origin<string>();
    await a.cache.getOrSet('renewed', origin.load, { ...LONG, grace: '10m', eager: 0.0001 });
    await origin.began();
    expect(await b.cache.expire('renewed')).toBe(true);
    origin.end('READ BEFORE');
    await becomes(() => a.cache.stats().fenced > 0);
    expect(await b.cache.get('renewed')).toBeUndefined();
  });

  it('a value that is loaded for the first time while it is expired is not stored', async () => {
    const a = await open();
    const origin = new Origin<string>();
    const loading = a.cache.fetch('first', origin.load, LONG);
    await origin.began();
    expect(await a.cache.expire('first')).toBe(false);
    origin.end('READ BEFORE');
    expect(await loading).toMatchObject({ value: 'READ BEFORE', stored: false });
    expect(await a.cache.get('first')).toBeUndefined();
  });

  it.each([
    ['without an end', ['SET', '99999999999999999999:x']],
    ['that is no text', ['LPUSH', 'x']],
  ] as const)('a lease %s keeps nobody from loading', async (_, [command, value]) => {
    const a = await open();
    const { lease } = wireOf('leased');
    await server.command('DEL', lease, wireOf('leased').entry);
    await server.command(command, lease, value);
    expect(await a.cache.fetch('leased', () => 'loaded', { ...LONG, hardTimeout: '1s' })).toMatchObject({
      stored: true,
    });
  });

  it.each(['null', '[]', '{"name":"E","message":1,"httpStatus":500}', '{"name":"E","message":"","httpStatus":"x"}'])(
    'a failure of a stranger (%s) is no failure of a caller',
    async (payload) => {
      const a = await open();
      const head = { codec: 1, compressed: false, failure: true, loadedAt: 0, loadMs: 0, tags: [] };
      const ends = { freshUntil: Infinity, keptUntil: Infinity };
      const client = new Redis(server.url);
      await client.set(
        wireOf('failure').entry,
        writeEnvelope({ ...head, ...ends }, Buffer.from(payload), new Versions()),
      );
      client.disconnect();
      expect(await a.cache.getOrSet('failure', () => 'loaded', LONG)).toBe('loaded');
    },
  );

  it('what a stranger has packed too well is not unpacked', async () => {
    const a = await open();
    const head = { codec: 1, compressed: true, failure: false, loadedAt: 0, loadMs: 0, tags: [] };
    const ends = { freshUntil: Infinity, keptUntil: Infinity };
    const packed = deflateRawSync(Buffer.from(`"${'a'.repeat(70_000_000)}"`), { level: 1 });
    const client = new Redis(server.url);
    await client.set(wireOf('packed').entry, writeEnvelope({ ...head, ...ends }, packed, new Versions()));
    client.disconnect();
    expect((await a.cache.getOrSet('packed', () => 'loaded', LONG)).length).toBe(6);
  });
});
