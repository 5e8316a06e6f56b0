import { RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidCacheOptionsError } from './cache.errors.js';
import type { CacheOptions } from './cache.options.js';
import { becomes, LONG, openNode, Origin, wireOf, type CacheNode } from './cache.testbed.js';

/** How long values are fresh, how long they are kept, and what is served when. */
describe('lifetimes', () => {
  let server: RedisServer;
  let a: CacheNode;
  let b: CacheNode;

  beforeAll(async () => {
    server = await RedisServer.start();
    [a, b] = await Promise.all([openNode({ url: server.url }), openNode({ url: server.url })]);
  });
  afterAll(async () => {
    await Promise.all([a, b].map((each) => each?.close()));
    await server?.stop();
  });

  const pttl = (name: string) => server.command('PTTL', name) as Promise<number>;
  const fails = () => {
    throw new Error('broken');
  };

  describe('after the ttl', () => {
    it('29: a failing load is answered with the stale value, repeated after `retryAfter`, and rejects after the grace', async () => {
      let runs = 0;
      const load = () => {
        runs++;
        return fails();
      };
      const options: CacheOptions = { ttl: 20, grace: 600, retryAfter: 150, jitter: 0 };
      const setAt = performance.now();
      await a.cache.set('29', 'OLD', options);
      await sleep(22);
      const { stale } = a.cache.stats().hits;
      expect(await a.cache.fetch('29', load, options)).toMatchObject({ value: 'OLD', source: 'stale' });
      expect(await a.cache.getOrSet('29', load, options)).toBe('OLD');
      expect([runs, a.cache.stats().hits.stale - stale]).toEqual([1, 2]);
      await sleep(155);
      expect(await a.cache.getOrSet('29', load, options)).toBe('OLD');
      expect(runs).toBe(2);
      expect(await b.cache.getOrSet('29', load, options)).toBe('OLD');
      expect([await a.cache.get('29'), a.cache.peek('29')]).toEqual([undefined, undefined]);
      await sleep(725 - (performance.now() - setAt)); // the grace, and as much as a busy machine is late
      await expect(a.cache.getOrSet('29', load, options)).rejects.toThrow('broken');
    });

    it.each([
      [false, 'rejects'],
      [(error: unknown) => !String(error).includes('broken'), 'rejects'],
      [(error: unknown) => String(error).includes('broken'), 'OLD'],
    ] as const)('29: unless `staleIfError` says otherwise (%#)', async (staleIfError, expected) => {
      const key = `29 ${String(staleIfError)}`;
      const options: CacheOptions = { ttl: 20, grace: '1m', jitter: 0, staleIfError };
      await a.cache.set(key, 'OLD', options);
      await sleep(22);
      const many = a.cache.getOrSetMany([key], fails, { ...options, retryAfter: 1 }).then(([value]) => value);
      expect(await many.catch(() => 'rejects')).toBe(expected);
      expect(await b.cache.getOrSet(key, fails, options).catch(() => 'rejects')).toBe(expected);
    });

    it('29: nothing is served after its grace, however long a load takes', async () => {
      // Not told that the value has ended, it lets others join the load.
      const deaf = await openNode({ url: server.url }, { tracking: 'off' });
      const options: CacheOptions = { ttl: 20, grace: 300, jitter: 0 };
      await deaf.cache.set('29 slow', 'OLD', options);
      await sleep(22);
      const origin = new Origin<string>();
      const first = deaf.cache.getOrSet('29 slow', () => origin.load().then(fails), options);
      await origin.began();
      await sleep(310);
      const joined = deaf.cache.getOrSet('29 slow', origin.load, { ...options, softTimeout: 0 });
      const early = await Promise.race([joined, sleep(10).then(() => 'waits')]);
      expect(early).toBe('waits');
      origin.end('too late');
      expect(await Promise.allSettled([first, joined])).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }]);
      await deaf.close();
    });

    it('30: with `softTimeout: 0` the stale value comes at once, and one load replaces it', async () => {
      const origin = new Origin<string>();
      const options: CacheOptions = { ttl: 20, grace: '1m', jitter: 0, softTimeout: 0 };
      await a.cache.set('30', 'OLD', options);
      await sleep(22);
      const beganAt = performance.now();
      const stale = await Promise.all(Array.from({ length: 20 }, () => a.cache.getOrSet('30', origin.load, options)));
      expect(performance.now() - beganAt).toBeLessThan(500);
      expect(new Set(stale)).toEqual(new Set(['OLD']));
      await origin.began();
      origin.end('NEW');
      await becomes(async () => (await b.cache.get('30')) === 'NEW');
      expect(origin.runs).toBe(1);
    });

    it('30: a `softTimeout` that is not reached gives the new value', async () => {
      const options: CacheOptions = { ttl: 20, grace: '1m', jitter: 0, softTimeout: 1_000 };
      await a.cache.set('30 soft', 'OLD', options);
      await sleep(22);
      expect(await a.cache.getOrSet('30 soft', () => 'NEW', options)).toBe('NEW');
    });
  });

  describe('in Redis', () => {
    it.each([
      [60_000, 10_000],
      [10_000, 60_000],
      [10_000, 0],
    ])('31: a ttl of %i and a grace of %i add up', async (ttl, grace) => {
      const key = `31 ${ttl}+${grace}`;
      await a.cache.set(key, 'value', { ttl, grace, jitter: 0 });
      await b.cache.getOrSet(`${key} loaded`, () => 'value', { ttl, grace, jitter: 0 });
      for (const name of [key, `${key} loaded`]) {
        const left = await pttl(wireOf(name).entry);
        expect(left).toBeGreaterThan(ttl + grace - 500);
        expect(left).toBeLessThanOrEqual(ttl + grace + 5);
      }
    });

    it('32: what is no lifetime is refused at the call, and 1.5 ms are 2', async () => {
      for (const ttl of [0, -1, NaN, Infinity, '10x', 'forever', null, '400d']) {
        const options = { ttl } as unknown as CacheOptions;
        const calls = [
          () => a.cache.set('32', 1, options),
          () => a.cache.getOrSet('32', () => 1, options),
          () => a.cache.getOrSetMany(['32'], () => [1], options),
        ];
        for (const call of calls) await expect(call()).rejects.toThrow(InvalidCacheOptionsError);
      }
      await a.cache.set('32 short', 1, { ttl: 1.5, jitter: 0 });
      expect(await a.cache.set('32', 1, { ttl: 59_999.5, jitter: 0 })).toBe(true);
      expect(await pttl(wireOf('32').entry)).toBeLessThanOrEqual(60_005);
    });

    it('32: so is one that a load gives', async () => {
      for (const ttl of [0, NaN, '10x', '400d'] as const) {
        const load = a.cache.getOrSet('32 load', (context) => context.setTtl(ttl as number));
        await expect(load).rejects.toThrow(InvalidCacheOptionsError);
      }
      const load = a.cache.fetch(
        '32 load',
        (context) => {
          context.setTtl(59_999.5);
          return 1;
        },
        { ttl: '1s', jitter: 0 },
      );
      expect((await load).ttlMs).toBeGreaterThan(59_000);
    });

    it('33: what is stored at once does not end at once', async () => {
      const keys = Array.from({ length: 1_000 }, (_, index) => `33 ${index}`);
      await a.cache.setMany(
        keys.map((key) => [key, 1]),
        { ttl: 60_000, jitter: 0.1 },
      );
      const lefts = await Promise.all(keys.map((key) => pttl(wireOf(key).entry)));
      expect(Math.min(...lefts)).toBeGreaterThan(57_000); // the test itself takes its time
      expect(Math.max(...lefts)).toBeLessThanOrEqual(66_005);
      const mean = lefts.reduce((sum, each) => sum + each, 0) / lefts.length;
      const deviation = Math.sqrt(lefts.reduce((sum, each) => sum + (each - mean) ** 2, 0) / lefts.length);
      expect(deviation).toBeGreaterThan(1_000);
    });

    it.each([
      ['a load lengthens it', { ttl: 20 }, 'value', (): number => 60_000],
      ['null is kept longer than others', { ttl: 20, negativeTtl: 60_000 }, null, undefined],
    ] as const)('a tag lives as long as what has it, also when %s', async (what, options, value, ttlOf) => {
      const key = `tag ${what}`;
      const tagged: CacheOptions = { ...options, jitter: 0, tags: [key] };
      await a.cache.getOrSet(
        key,
        (context) => {
          if (ttlOf !== undefined) context.setTtl(ttlOf());
          return value;
        },
        tagged,
      );
      await sleep(50);
      expect(await pttl(wireOf(key).tag)).toBeGreaterThan(50_000);
      expect(await b.cache.lookup(key)).toMatchObject({ value });
    });

    it('35: reading lengthens nothing and writes nothing', async () => {
      await a.cache.set('35', 'value', { ttl: 60_000, jitter: 0 });
      await becomes(async () => (await b.cache.get('35')) === 'value' && b.cache.peek('35') !== undefined);
      const before = await server.commandStats();
      for (let read = 0; read < 1_000; read++) await a.cache.get('35');
      const after = await server.commandStats();
      const sent = Object.keys(after).filter((name) => after[name]!.calls > (before[name]?.calls ?? 0));
      expect(sent.filter((name) => !['info', 'get', 'mget', 'ping'].includes(name))).toEqual([]);
      expect((after['get']?.calls ?? 0) - (before['get']?.calls ?? 0)).toBeLessThanOrEqual(2);
      expect(b.cache.peek('35')).toMatchObject({ value: 'value' });
    });
  });

  it('36: what was read from Redis lives here no longer than there', async () => {
    await a.cache.set('36', 'value', { ttl: 250, jitter: 0 });
    const setAt = performance.now();
    await sleep(50);
    expect(await b.cache.get('36')).toBe('value');
    const left = b.cache.peek('36')?.ttlMs ?? 0;
    expect(left).toBeLessThanOrEqual(251 - 50);
    await sleep(255 - (performance.now() - setAt));
    expect([b.cache.peek('36'), await b.cache.get('36')]).toEqual([undefined, undefined]);
  });

  describe('ended by `expire`', () => {
    it('a value is loaded anew, and is there for its grace when that fails', async () => {
      const options: CacheOptions = { ttl: '10m', grace: 400, jitter: 0 };
      await a.cache.set('expire', 'OLD', options);
      await becomes(async () => (await b.cache.get('expire')) === 'OLD');
      expect(await a.cache.expire('expire')).toBe(true);
      await becomes(() => b.cache.peek('expire') === undefined);
      expect(await Promise.all([a, b].map(({ cache }) => cache.get('expire')))).toEqual([undefined, undefined]);
      expect(await b.cache.getOrSet('expire', fails, options)).toBe('OLD');
      await sleep(405);
      await expect(b.cache.getOrSet('expire', fails, options)).rejects.toThrow('broken');
    });

    it('a value without grace is gone, and one that is not there is not', async () => {
      await a.cache.set('expire 0', 'OLD', LONG);
      expect(await b.cache.expire('expire 0')).toBe(true);
      await expect(a.cache.getOrSet('expire 0', fails, LONG)).rejects.toThrow('broken');
      expect(await a.cache.expire('expire none')).toBe(false);
    });
  });

  it('no key is without an end, whatever is done', async () => {
    await a.cache.getOrSet('ends', (context) => context.addTags('ends'), { ...LONG, tags: ['ends 1'] });
    await a.cache.getOrSet('ends', fails, { ...LONG, errorTtl: '1m' }).catch(() => undefined);
    await a.cache.delete('ends');
    await a.cache.invalidateTags('ends', 'ends 2');
    await a.cache.clear();
    const names = await server.keys('*');
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect([name, (await pttl(name)) !== -1]).toEqual([name, true]);
  });
});
