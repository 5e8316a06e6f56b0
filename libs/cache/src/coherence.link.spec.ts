import { FaultProxy, RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CacheModuleOptions } from './cache.options.js';
import { becomes, LONG, openNode, wireOf, type CacheNode } from './cache.testbed.js';

const HOUR_MS = 3_600_000;

/** What binds processes to Redis: the connection that tells of changes, and the clock. */
describe('coherence by the link', () => {
  let server: RedisServer;
  const opened: CacheNode[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterEach(() => Promise.all(opened.splice(0).map((each) => each.close())));
  afterAll(() => server?.stop());

  async function open(options: CacheModuleOptions = {}, url = server.url): Promise<CacheNode> {
    const node = await openNode({ url }, options);
    opened.push(node);
    return node;
  }
  const isCoherent = ({ cache }: CacheNode) => cache.stats().near.coherent;
  /** The flags of the connections that are told of changes. */
  async function tracked(): Promise<string[]> {
    const list = String(await server.command('CLIENT', 'LIST', 'TYPE', 'pubsub'));
    return Array.from(list.matchAll(/ flags=(\w+)/g), ([, flags]) => flags!);
  }

  it('10: 12: a process whose link was killed serves nothing of its own until it hears again, and then nothing old', async () => {
    const [a, b] = await Promise.all([open(), open()]);
    await a.cache.set('10', 'OLD', LONG);
    await becomes(async () => (await b.cache.get('10')) === 'OLD' && b.cache.peek('10') !== undefined);
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await server.command('DEL', wireOf('10').entry);
    await becomes(() => !isCoherent(b));
    const { hits, near } = b.cache.stats();
    expect(near.entries).toBe(0);
    await a.cache.set('10', 'NEW', LONG);
    while (!isCoherent(b)) expect(await b.cache.get('10')).toBe('NEW');
    const { hits: later, near: restored } = b.cache.stats();
    expect([later.near, restored.entries]).toEqual([hits.near, 0]);
    expect(later.redis).toBeGreaterThan(hits.redis);
    expect(await b.cache.get('10')).toBe('NEW');
    await becomes(() => isCoherent(a));
    // 12: whatever the client does at a reconnect, it is told of changes again: tracking, by broadcast.
    expect(await tracked()).toEqual([expect.stringMatching(/t.*B|B.*t/), expect.stringMatching(/t.*B|B.*t/)]);
    await a.cache.set('10', 'NEWER', LONG);
    await becomes(() => b.cache.peek('10') === undefined);
    expect(await b.cache.get('10')).toBe('NEWER');
  });

  it('11: a link that has gone silent is found dead within 2 s, and nothing of this process is served any more', async () => {
    const proxy = await FaultProxy.start({ target: server });
    try {
      const [a, b] = await Promise.all([open(), open({}, proxy.url)]);
      await a.cache.set('11', 'OLD', LONG);
      await becomes(async () => (await b.cache.get('11')) === 'OLD' && b.cache.peek('11') !== undefined);
      await proxy.blackhole();
      const darkAt = performance.now();
      await a.cache.set('11', 'NEW', LONG);
      await becomes(() => !isCoherent(b));
      expect(performance.now() - darkAt).toBeLessThan(2_900); /* 2 s, and what a busy machine adds */
      expect([b.cache.stats().near.entries, b.cache.peek('11')]).toEqual([0, undefined]);
      await proxy.pass();
      await becomes(() => isCoherent(b));
      await becomes(async () => (await b.cache.get('11')) !== undefined);
      expect(await b.cache.get('11')).toBe('NEW');
    } finally {
      await proxy.stop();
    }
  });

  it.each([['auto'], ['off']] as const)(
    '16: clocks of processes that are an hour off change nothing (tracking %s)',
    async (tracking) => {
      const origin = performance.timeOrigin;
      const now = Date.now.bind(Date);
      let skewMs = 0;
      const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + skewMs);
      Object.defineProperty(performance, 'timeOrigin', { configurable: true, get: () => origin + skewMs });
      const as = <T>(skew: number, run: () => Promise<T>): Promise<T> => {
        skewMs = skew;
        return run();
      };
      try {
        const ahead = await as(HOUR_MS, () => open({ tracking }));
        const behind = await as(-HOUR_MS, () => open({ tracking }));
        const fresh = await as(HOUR_MS, () => open({ tracking }));
        const options = { ttl: 400, grace: '1m', jitter: 0, tags: ['16'] } as const;
        await as(HOUR_MS, () => ahead.cache.set('16', 'value', options));
        // Each has asked Redis nothing but this: it has to learn the time by it.
        expect(await as(-HOUR_MS, () => behind.cache.get('16'))).toBe('value');
        expect(await as(HOUR_MS, () => fresh.cache.get('16'))).toBe('value');
        const left = await as(-HOUR_MS, () => behind.cache.ttl('16'));
        expect(left === undefined || (left > 0 && left <= 405)).toBe(true);
        await sleep(405);
        for (const { cache } of [ahead, behind, fresh]) expect(await cache.get('16')).toBeUndefined();
        await as(HOUR_MS, () => ahead.cache.set('16', 'again', { ...options, ttl: '1m' }));
        await sleep(5);
        await as(-HOUR_MS, () => behind.cache.invalidateTags('16'));
        await sleep(5);
        expect(await as(HOUR_MS, () => ahead.cache.get('16'))).toBeUndefined();
      } finally {
        clock.mockRestore();
        Reflect.deleteProperty(performance, 'timeOrigin');
      }
    },
  );

  // A value belongs to the versions that its load saw, and not to those before some time: what is loaded while the
  // version of a tag lies in the future may be served, until the tag is invalidated again.
  it('17: after Redis’ clock stepped back a tag is invalidated all the same', async () => {
    const [a, b] = await Promise.all([open(), open()]);
    const { tag } = wireOf('17');
    const future = String((Date.now() + 10_000) * 1_000);
    await server.command('SET', tag, future, 'PX', 1_300_000);
    for (const round of [1, 2]) {
      const options = { ...LONG, tags: ['17'] };
      expect(await a.cache.getOrSet('17', () => round, options)).toBe(round);
      expect(await b.cache.get('17')).toBe(round);
      await a.cache.invalidateTags('17');
      expect(await a.cache.get('17')).toBeUndefined();
      await becomes(() => b.cache.peek('17') === undefined);
      expect(await b.cache.get('17')).toBeUndefined();
      expect(await server.command('GET', tag)).toBe(String(Number(future) + round));
    }
    // Whether a tag that is named by the load was invalidated before it or after cannot be told: not kept.
    const named = a.cache.fetch('17b', (context) => context.addTags('17'), LONG);
    expect(await named).toMatchObject({ stored: false });
  });

  it('18: a tag that was evicted brings nothing back', async () => {
    const [a, b] = await Promise.all([open(), open()]);
    const options = { ...LONG, tags: ['18'] };
    await a.cache.set('18', 'OLD', options);
    await becomes(async () => (await b.cache.get('18')) === 'OLD' && b.cache.peek('18') !== undefined);
    await a.cache.invalidateTags('18');
    await server.command('DEL', wireOf('18').tag);
    await becomes(() => b.cache.peek('18') === undefined);
    expect(await Promise.all([a.cache.get('18'), b.cache.get('18')])).toEqual([undefined, undefined]);
    await a.cache.set('18 other', 'NEW', options); // makes the tag anew
    expect(await Promise.all([a.cache.get('18'), b.cache.get('18')])).toEqual([undefined, undefined]);
    expect(await b.cache.get('18 other')).toBe('NEW');
  });

  it('18: nor does the loss of what stands for everything', async () => {
    const [a, b] = await Promise.all([open(), open()]);
    await a.cache.set('18c', 'OLD', LONG);
    await a.cache.clear();
    await server.command('DEL', 'roost:cache:app:t:of:all');
    await sleep(10);
    expect(await Promise.all([a.cache.get('18c'), b.cache.get('18c')])).toEqual([undefined, undefined]);
    await a.cache.set('18d', 'NEW', LONG);
    expect(await Promise.all([a.cache.get('18c'), b.cache.get('18d')])).toEqual([undefined, 'NEW']);
  });

  it('takes a Redis that lost what it was told for another one: everything is invalidated', async () => {
    const [a, b] = await Promise.all([open(), open()]);
    await a.cache.set('run', 'OLD', LONG);
    await server.command('SET', 'roost:cache:app:s:run', 'another', 'PX', 60_000);
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await becomes(() => !isCoherent(a) || !isCoherent(b));
    await becomes(() => isCoherent(a) && isCoherent(b));
    expect(await Promise.all([a.cache.get('run'), b.cache.get('run')])).toEqual([undefined, undefined]);
  });
});
