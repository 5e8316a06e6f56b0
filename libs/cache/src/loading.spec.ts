import { RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { CachedFailureError, CacheRecursionError, CacheTimeoutError } from './cache.errors.js';
import type { LoadContext } from './cache.options.js';
import { becomes, fastest, LONG, openNode, Origin, wireOf, type CacheNode } from './cache.testbed.js';

/** Who loads, who waits, and what becomes of loads that fail, hang or ask for themselves. */
describe('loads', () => {
  let server: RedisServer;
  let a: CacheNode;
  let b: CacheNode;

  beforeAll(async () => {
    server = await RedisServer.start();
    [a, b] = await Promise.all([openNode({ url: server.url }), openNode({ url: server.url }, { lease: 300 })]);
  });
  afterAll(async () => {
    await Promise.all([a, b].map((each) => each?.close()));
    await server?.stop();
  });

  const never = () => new Promise<never>(() => undefined);
  const leased = (key: string) => server.command('EXISTS', wireOf(key).lease);
  /** How long it takes, and how it ends. */
  async function timed<T>(work: Promise<T>) {
    const beganAt = performance.now();
    const [outcome] = await Promise.allSettled([work]);
    return { ms: performance.now() - beganAt, outcome };
  }

  it('20: a thousand callers at once are one load', async () => {
    let runs = 0;
    const load = async () => {
      runs++;
      await sleep(50);
      return { value: 20 };
    };
    const values = await Promise.all(Array.from({ length: 1_000 }, () => a.cache.getOrSet('20', load, LONG)));
    expect(runs).toBe(1);
    expect(new Set(values.map((each) => JSON.stringify(each)))).toEqual(new Set(['{"value":20}']));
  });

  it('20: a cold load takes at most four commands', async () => {
    await a.cache.getOrSet('20 warm', () => 1, LONG);
    const monitor = await server.monitor();
    await a.cache.getOrSet('20 cold', () => 1, LONG);
    monitor.stop();
    const sent = monitor.lines.filter((line) => !line.includes(' lua]'));
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.length).toBeLessThanOrEqual(4);
  });

  describe('that fail', () => {
    it('22: a hundred callers hear of one failure, unchanged', async () => {
      let runs = 0;
      const failure = new RangeError('broken');
      const load = async () => {
        runs++;
        await sleep(20);
        throw failure;
      };
      const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => a.cache.getOrSet('22', load, LONG)));
      expect(outcomes.every((each) => each.status === 'rejected' && each.reason === failure)).toBe(true);
      expect(runs).toBe(1);
      expect(await leased('22')).toBe(0);
      await expect(b.cache.getOrSet('22', load, LONG)).rejects.toBe(failure);
      expect(runs).toBe(2);
    });

    it('22: with `errorTtl` nobody loads again for that long', async () => {
      let runs = 0;
      const load = () => {
        runs++;
        throw Object.assign(new Error('broken'), { code: 'E_BROKEN', status: 422 });
      };
      const options = { ...LONG, errorTtl: 400 };
      await expect(a.cache.getOrSet('22 ttl', load, options)).rejects.toThrow('broken');
      const failure = await b.cache.getOrSet('22 ttl', load, options).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(CachedFailureError);
      expect(failure).toMatchObject({ original: { code: 'E_BROKEN', message: 'broken' }, httpStatus: 422 });
      expect(await b.cache.getOrSetMany(['22 ttl'], load, options).catch(String)).toContain('has just failed');
      expect(await b.cache.getOrSetMany(['22 ttl'], load, { ...options, allowPartial: true })).toEqual([undefined]);
      expect([await a.cache.get('22 ttl'), await b.cache.getMany(['22 ttl'])]).toEqual([undefined, [undefined]]);
      expect(runs).toBe(1);
      await sleep(405);
      await expect(b.cache.getOrSet('22 ttl', load, options)).rejects.toThrow('broken');
      expect(runs).toBe(2);
    });

    it('26: by throwing at once, or with nothing, and leave no lease behind', async () => {
      const thrown = new Error('at once');
      await expect(
        a.cache.getOrSet('26', () => {
          throw thrown;
        }),
      ).rejects.toBe(thrown);
      const [nothing] = await Promise.allSettled([a.cache.getOrSet('26', () => Promise.reject(undefined as never))]);
      expect(nothing).toEqual({ status: 'rejected', reason: undefined });
      expect(await leased('26')).toBe(0);
      expect(await a.cache.getOrSet('26', () => 'well')).toBe('well');
    });
  });

  describe('that do not end', () => {
    it('26: are given up after `hardTimeout`: the signal is aborted, the lease released, and the next caller loads', async () => {
      let signal: AbortSignal | undefined;
      const load = (context: LoadContext) => {
        signal = context.signal;
        return never();
      };
      const options = { ...LONG, hardTimeout: 40 };
      const { ms, outcome } = await timed(a.cache.getOrSet('26 hangs', load, options));
      expect(outcome).toMatchObject({ status: 'rejected', reason: { timeoutMs: 40 } });
      expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(CacheTimeoutError);
      expect(ms).toBeLessThan(500);
      expect(signal!.aborted).toBe(true);
      await becomes(async () => (await leased('26 hangs')) === 0);
      const next = await Promise.all([a, b].map(({ cache }) => cache.getOrSet('26 hangs', () => 'well', options)));
      expect(next).toEqual(['well', 'well']);
    });

    it('26: and by a process that is told of no change, too', async () => {
      const deaf = await openNode({ url: server.url }, { tracking: 'off' });
      const options = { ...LONG, hardTimeout: 20 };
      await expect(deaf.cache.getOrSet('26 deaf', never, options)).rejects.toThrow(CacheTimeoutError);
      expect(await deaf.cache.getOrSet('26 deaf', () => 'well', options)).toBe('well');
      await deaf.close();
    });

    it('26: what comes late is stored only with `backgroundCompletion`', async () => {
      for (const backgroundCompletion of [false, true]) {
        const key = `26 late ${backgroundCompletion}`;
        const origin = new Origin<string>();
        const options = { ...LONG, hardTimeout: 20, backgroundCompletion };
        await expect(a.cache.getOrSet(key, origin.load, options)).rejects.toThrow(CacheTimeoutError);
        origin.end('late');
        await sleep(10);
        expect(await b.cache.get(key)).toBe(backgroundCompletion ? 'late' : undefined);
      }
    });

    it('26: of two who wait, the patient one gets what the other one gave up', async () => {
      const origin = new Origin<string>();
      const patient = a.cache.getOrSet('26 two', origin.load, LONG);
      await origin.began();
      await expect(a.cache.getOrSet('26 two', origin.load, { ...LONG, hardTimeout: 20 })).rejects.toThrow(/20 ms/);
      origin.end('value');
      expect([await patient, await b.cache.get('26 two'), origin.runs]).toEqual(['value', 'value', 1]);
    });

    it('26: not even in the background: a refresh that hangs is given up after `hardTimeout`, too', async () => {
      const options = { ttl: 20, grace: '1m', jitter: 0, softTimeout: 0, hardTimeout: 40, retryAfter: 1 } as const;
      await a.cache.set('26 soft', 'OLD', options);
      await sleep(25);
      let signal: AbortSignal | undefined;
      const hangs = (context: LoadContext) => {
        signal = context.signal;
        return never();
      };
      expect(await a.cache.getOrSet('26 soft', hangs, options)).toBe('OLD');
      await becomes(() => signal?.aborted === true);
      await becomes(async () => (await leased('26 soft')) === 0);
      await becomes(async () => (await a.cache.getOrSet('26 soft', () => 'NEW', options)) === 'NEW');
    });
  });

  describe('that take long', () => {
    it('24: keep their lease by renewing it', async () => {
      const origin = new Origin<string>();
      const loaded = b.cache.fetch('24', origin.load, LONG);
      await origin.began();
      const other = a.cache.getOrSet('24', origin.load, LONG);
      await sleep(500); // of a lease of 300 ms
      origin.end('value');
      expect(await loaded).toMatchObject({ value: 'value', stored: true });
      expect(await other).toBe('value');
      expect(origin.runs).toBe(1);
    });

    it('24: lose it when their process stands still, and then store nothing', async () => {
      const blocked = await b.cache.fetch(
        '24 blocked',
        () => {
          const until = performance.now() + 350;
          while (performance.now() < until);
          return 'value';
        },
        LONG,
      );
      expect(blocked).toMatchObject({ value: 'value', stored: false });
      expect(await a.cache.get('24 blocked')).toBeUndefined();
    });

    it('21: 23: wake those who wait in other processes by the news, and not by their polling', async () => {
      jest.spyOn(Math, 'random').mockReturnValue(0.999); // they look again after 100 ms
      const wokenMs = await fastest(4, async (round) => {
        const origin = new Origin<string>();
        const led = a.cache.getOrSet(`21 ${round}`, origin.load, LONG);
        await origin.began();
        const waiting = b.cache.getOrSet(`21 ${round}`, origin.load, LONG);
        await sleep(20);
        const endedAt = performance.now();
        origin.end('value');
        expect(await Promise.all([led, waiting])).toEqual(['value', 'value']);
        expect(origin.runs).toBe(1);
        return performance.now() - endedAt;
      });
      jest.restoreAllMocks();
      expect(wokenMs).toBeLessThan(40);
    });
  });

  it('25: undefined is returned and not stored, null is, and what is falsy is a hit', async () => {
    let runs = 0;
    for (const [value, expected, times] of [
      [undefined, undefined, 2],
      [null, null, 1],
      [0, 0, 1],
      ['', '', 1],
      [false, false, 1],
      [NaN, null, 1], // as JSON has it, from the first caller on
    ] as const) {
      runs = 0;
      const load = () => {
        runs++;
        return value;
      };
      const key = `25 ${String(value)}`;
      const values = [
        await a.cache.getOrSet<unknown>(key, load, LONG),
        await b.cache.getOrSet<unknown>(key, load, LONG),
      ];
      expect([key, values, runs]).toEqual([key, [expected, expected], times]);
    }
    expect(await b.cache.lookup('25 null')).toMatchObject({ value: null });
    expect(await b.cache.getOrSet('25 v8', () => NaN, { ...LONG, codec: 'v8' })).toBeNaN();
  });

  describe('of several', () => {
    it('27: ask once for what is missing, each once and in order', async () => {
      await b.cache.set('27b', 'B', LONG);
      const asked: (readonly string[])[] = [];
      const load = (keys: readonly string[]) => {
        asked.push(keys);
        return new Map([...keys.map((key): [string, string] => [key, key.toUpperCase()]), ['27 extra', 'x']]);
      };
      const keys = ['27a', '27b', '27a', '27c'];
      expect(await a.cache.getOrSetMany(keys, load, LONG)).toEqual(['27A', 'B', '27A', '27C']);
      expect(asked).toEqual([['27a', '27c']]);
      expect(await b.cache.getMany([...keys, '27 extra'])).toEqual(['27A', 'B', '27A', '27C', undefined]);
      expect(await b.cache.getOrSetMany(keys, load, LONG)).toEqual(['27A', 'B', '27A', '27C']);
      expect(asked).toHaveLength(1);
      expect(await a.cache.getOrSetMany([], load, LONG)).toEqual([]);
    });

    it('27: what the loader does not give is undefined, and is not stored', async () => {
      const few = await a.cache.getOrSetMany(['27x', '27y'], () => ['X'], LONG);
      expect(few).toEqual(['X', undefined]);
      expect(await b.cache.getMany(['27x', '27y'])).toEqual(['X', undefined]);
    });

    it('27: a loader that fails rejects, unless what is there is enough', async () => {
      await a.cache.set('27 there', 'there', LONG);
      const fails = () => Promise.reject(new Error('broken'));
      const keys = ['27 there', '27 not'];
      await expect(a.cache.getOrSetMany(keys, fails, LONG)).rejects.toThrow('broken');
      expect(await a.cache.getOrSetMany(keys, fails, { ...LONG, allowPartial: true })).toEqual(['there', undefined]);
      expect(await leased('27 not')).toBe(0);
    });

    it('27: wait for what others load, which holds up nothing else', async () => {
      const waitedMs = await fastest(4, async (round) => {
        const [held, free] = [`27 held ${round}`, `27 free ${round}`];
        const origin = new Origin<string>();
        const elsewhere = b.cache.getOrSet(held, origin.load, LONG);
        await origin.began();
        let asked: readonly string[] = [];
        const beganAt = performance.now();
        let calledAt = Infinity;
        const load = (keys: readonly string[]) => {
          calledAt = performance.now();
          return (asked = keys);
        };
        const many = a.cache.getOrSetMany([held, free], load, LONG);
        await becomes(() => asked.length > 0);
        origin.end('elsewhere');
        expect([await many, asked, await elsewhere]).toEqual([['elsewhere', free], [free], 'elsewhere']);
        return calledAt - beganAt;
      });
      expect(waitedMs).toBeLessThan(40); // who waits looks again after 50 ms
    });
  });

  describe('that ask for themselves', () => {
    it('28: fail at once', async () => {
      const inner = () => a.cache.getOrSet('28', () => 'inner', LONG);
      await expect(a.cache.getOrSet('28', inner, LONG)).rejects.toThrow(CacheRecursionError);
      const through = () => a.cache.getOrSet('28 between', inner, LONG);
      await expect(a.cache.getOrSet('28', through, LONG)).rejects.toThrow(CacheRecursionError);
      expect(await a.cache.getOrSet('28', () => 'well', LONG)).toBe('well');
    });

    it('28: also among several, and then leave nothing behind that hangs', async () => {
      const keys = ['28 m1', '28 m2'];
      const one = (key: string) => () => a.cache.getOrSetMany([`${key} new`, key], (asked) => asked, LONG);
      await expect(a.cache.getOrSet('28 m', one('28 m'), LONG)).rejects.toThrow(CacheRecursionError);
      expect(await a.cache.getOrSet('28 m new', () => 'well', { ...LONG, hardTimeout: 500 })).toBe('well');
      for (const key of keys) {
        const load = () => a.cache.getOrSet(key, () => 'inner', LONG).then((value) => [value, value]);
        await expect(a.cache.getOrSetMany(keys, load, { ...LONG, hardTimeout: 500 })).rejects.toThrow(
          CacheRecursionError,
        );
      }
    });

    it('28: but what a load has left behind may ask for its value when it has ended', async () => {
      let later: Promise<unknown> = Promise.resolve();
      const origin = new Origin<string>();
      await a.cache.getOrSet(
        '28 later',
        () => {
          later = sleep(30).then(() => a.cache.getOrSet('28 later', () => 'again', LONG));
          return 'first';
        },
        LONG,
      );
      await a.cache.delete('28 later');
      const busy = a.cache.getOrSet('28 busy', origin.load, LONG);
      expect(await later).toBe('again');
      origin.end('done');
      await busy;
    });
  });

  it('ends every load when the application ends', async () => {
    const node = await openNode({ url: server.url });
    let signal: AbortSignal | undefined;
    const loading = node.cache.getOrSet('close', (context) => {
      signal = context.signal;
      return never();
    });
    const settled = Promise.allSettled([loading]);
    await becomes(() => signal !== undefined);
    await node.close();
    expect(signal!.aborted).toBe(true);
    expect(await settled).toMatchObject([{ status: 'rejected', reason: { httpStatus: 503 } }]);
    expect(await leased('close')).toBe(0);
  });
});
