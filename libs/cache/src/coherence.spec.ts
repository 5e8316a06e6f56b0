import { eventually, RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { becomes, LONG, openNode, Origin, wireOf, type CacheNode } from './cache.testbed.js';

/** Two applications and one Redis; each test has keys of its own. */
describe('coherence', () => {
  let server: RedisServer;
  let a: CacheNode;
  let b: CacheNode;
  const opened: CacheNode[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
    [a, b] = await Promise.all([openNode({ url: server.url }), openNode({ url: server.url })]);
  });
  afterEach(() => Promise.all(opened.splice(0).map((each) => each.close())));
  afterAll(async () => {
    await Promise.all([a, b].map((each) => each?.close()));
    await server?.stop();
  });

  const exists = (name: string) => server.command('EXISTS', name);
  /** Puts a value into Redis, and into both processes. */
  async function spread(key: string, value: unknown, options = LONG): Promise<void> {
    await a.cache.set(key, value, options);
    for (const { cache } of [a, b]) {
      await becomes(async () => {
        await cache.get(key);
        return cache.peek(key) !== undefined;
      });
    }
  }

  describe('of loads and invalidations', () => {
    it('1: a load that began before a delete stores nothing', async () => {
      const origin = new Origin<string>();
      const fenced = a.cache.stats().fenced;
      const loaded = a.cache.fetch('1', origin.load, LONG);
      await origin.began();
      await b.cache.delete('1');
      origin.end('OLD');
      expect(await loaded).toMatchObject({ value: 'OLD', stored: false });
      expect(await Promise.all([a.cache.get('1'), b.cache.get('1')])).toEqual([undefined, undefined]);
      expect(await exists(wireOf('1').entry)).toBe(0);
      expect(a.cache.stats().fenced - fenced).toBe(1);
    });

    it('2: what a load stores after one of its tags was invalidated is served by nobody, and loaded once', async () => {
      const origin = new Origin<string>();
      const options = { ...LONG, tags: ['2'] };
      const loaded = a.cache.getOrSet('2', origin.load, options);
      await origin.began();
      await b.cache.invalidateTags('2');
      origin.end('OLD');
      expect(await loaded).toBe('OLD');
      expect(await Promise.all([a.cache.get('2'), b.cache.get('2')])).toEqual([undefined, undefined]);
      const again = [a, b].map(({ cache }) => cache.getOrSet('2', origin.load, options));
      await origin.began(2);
      origin.end('NEW');
      expect(await Promise.all(again)).toEqual(['NEW', 'NEW']);
      expect(origin.runs).toBe(2);
    });

    it('2: whoever asks after a tag was invalidated does not wait for a load that began before', async () => {
      const options = { ...LONG, tags: ['2b'] };
      const slow = new Origin<string>();
      const old = a.cache.getOrSet('2b', slow.load, options);
      await slow.began();
      await b.cache.invalidateTags('2b');
      expect(await b.cache.getOrSet('2b', () => 'NEW', options)).toBe('NEW');
      slow.end('OLD');
      expect(await old).toBe('OLD');
      expect(await Promise.all([a.cache.get('2b'), b.cache.get('2b')])).toEqual(['NEW', 'NEW']);
    });

    it('3: nor what a load stores under a tag that it named itself, and that was invalidated meanwhile', async () => {
      for (const round of ['never used', 'used before']) {
        const origin = new Origin<string>();
        const loaded = a.cache.getOrSet(
          `3 ${round}`,
          async (context) => {
            const value = await origin.load();
            context.addTags('3');
            return value;
          },
          LONG,
        );
        await origin.began();
        await b.cache.invalidateTags('3');
        origin.end('OLD');
        expect(await loaded).toBe('OLD');
        expect(await Promise.all([a.cache.get(`3 ${round}`), b.cache.get(`3 ${round}`)])).toEqual([
          undefined,
          undefined,
        ]);
      }
    });

    it('3: a tag that a load names is known from the second load on, and then invalidates', async () => {
      const load = () =>
        a.cache.fetch(
          '3c',
          (context) => {
            context.addTags('3c');
            return 'value';
          },
          LONG,
        );
      // What was invalidated before the tag was made is not known: the first result is not kept.
      expect(await load()).toMatchObject({ stored: false });
      expect(await load()).toMatchObject({ stored: true });
      expect(await b.cache.get('3c')).toBe('value');
      await a.cache.invalidateTags('3c');
      expect(await a.cache.get('3c')).toBeUndefined();
      await becomes(() => b.cache.peek('3c') === undefined);
      expect(await b.cache.get('3c')).toBeUndefined();
    });

    it('4: nor what a refresh in the background stores after a delete', async () => {
      const origin = new Origin<string>();
      const options = { ...LONG, eager: 0.000_001 };
      await a.cache.set('4', 'OLD', LONG);
      await sleep(2);
      expect(await a.cache.getOrSet('4', origin.load, options)).toBe('OLD');
      await origin.began();
      await b.cache.delete('4');
      const fenced = a.cache.stats().fenced;
      origin.end('OLD, TOO');
      await becomes(() => a.cache.stats().fenced > fenced);
      expect(await Promise.all([a.cache.get('4'), b.cache.get('4')])).toEqual([undefined, undefined]);
    });

    it('5: what was set while a load ran stays', async () => {
      const origin = new Origin<string>();
      const loaded = a.cache.getOrSet('5', origin.load, LONG);
      await origin.began();
      expect(await b.cache.set('5', 'NEW', LONG)).toBe(true);
      origin.end('OLD');
      await loaded;
      expect(await Promise.all([a.cache.get('5'), b.cache.get('5')])).toEqual(['NEW', 'NEW']);
    });

    it('7: whoever asks after a delete does not join a load that began before', async () => {
      const origin = new Origin<string>();
      const old = b.cache.getOrSet('7', origin.load, LONG);
      await origin.began();
      await a.cache.delete('7');
      await sleep(20); // the news is on its way to B
      const fresh = b.cache.getOrSet('7', origin.load, LONG);
      await origin.began(2);
      origin.end('OLD');
      origin.end('NEW');
      expect(await Promise.all([old, fresh])).toEqual(['OLD', 'NEW']);
      expect(await b.cache.get('7')).toBe('NEW');
    });
  });

  describe('of what this process has', () => {
    it('6: an answer that was overtaken by the news of a change is not kept', async () => {
      const slow = await openNode({ url: server.url });
      opened.push(slow);
      await a.cache.set('6', 'OLD', LONG);
      // The answer is held back until the news of the change has been heard.
      const { commands } = slow.redis.backend;
      const send = commands.readBytes.bind(commands);
      const delayed = jest.spyOn(commands, 'readBytes').mockImplementation(async (...asked) => {
        const answer = await send<unknown>(...asked);
        await a.cache.set('6', 'NEW', LONG);
        await sleep(20);
        return answer as never;
      });
      expect(await slow.cache.get('6')).toBe('OLD');
      delayed.mockRestore();
      expect(slow.cache.peek('6')).toBeUndefined();
      expect(await slow.cache.get('6')).toBe('NEW');
    });

    it.each([
      ['SET', (name: string) => server.command('SET', name, 'foreign', 'PX', 600_000)],
      ['DEL', (name: string) => server.command('DEL', name)],
      ['PEXPIRE', (name: string) => server.command('PEXPIRE', name, 1)],
    ])('8: %s by somebody else is heard of at once', async (command, run) => {
      const key = `8 ${command}`;
      await spread(key, 'OLD');
      await run(wireOf(key).entry);
      await eventually(() => expect([a.cache.peek(key), b.cache.peek(key)]).toEqual([undefined, undefined]), {
        within: 1_000,
        every: 1,
      });
      await becomes(async () => (await b.cache.get(key)) === undefined);
    });

    it('8: so is an eviction', async () => {
      await spread('8 evicted', 'OLD');
      await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random');
      await server.command('CONFIG', 'SET', 'maxmemory', 1);
      try {
        await eventually(() => expect(b.cache.peek('8 evicted')).toBeUndefined(), { within: 2_000, every: 1 });
      } finally {
        await server.command('CONFIG', 'SET', 'maxmemory', 0);
      }
    });

    it.each(['FLUSHDB', 'FLUSHALL'])('9: %s leaves nothing in any process', async (command) => {
      await spread('9', 'OLD');
      await server.command(command);
      await becomes(() => a.cache.stats().near.entries + b.cache.stats().near.entries === 0);
      expect(await b.cache.get('9')).toBeUndefined();
    });

    it('13: keys of any text are told apart and heard of', async () => {
      const keys = [
        'a,b',
        'a b',
        '100%',
        '%25',
        '{}x',
        '{a}b',
        'a:b',
        'line\nbreak',
        '🦜',
        'x'.repeat(10_000),
        `${'x'.repeat(9_999)}y`,
        '\ud800',
        '__proto__',
        'constructor',
      ];
      for (const key of keys) await spread(`13${key}`, key);
      expect(await b.cache.getMany(keys.map((key) => `13${key}`))).toEqual(keys);
      for (const key of keys) {
        expect(await a.cache.delete(`13${key}`)).toBe(true);
        await becomes(() => b.cache.peek(`13${key}`) === undefined);
      }
      expect(await b.cache.getMany(keys.map((key) => `13${key}`))).toEqual(keys.map(() => undefined));
      await expect(a.cache.get('')).rejects.toThrow(/non-empty/);
    });

    it('14: of a hundred writes at once every process has what Redis has', async () => {
      await spread('14', 'before');
      await Promise.all(Array.from({ length: 100 }, (_, index) => a.cache.set('14', index, LONG)));
      await sleep(20);
      const values = await Promise.all([a.cache.get('14'), b.cache.get('14'), a.cache.get('14')]);
      expect(values).toEqual([99, 99, 99]);
    });

    it('15: the same key in two databases is two values', async () => {
      const other = await openNode({ url: `${server.url}/1` });
      opened.push(other);
      await spread('15', 'zero');
      await other.cache.set('15', 'one', LONG);
      expect(await other.cache.delete('15')).toBe(true);
      await sleep(20);
      expect(a.cache.peek('15')).toMatchObject({ value: 'zero' });
      expect(await other.cache.get('15')).toBeUndefined();
    });

    it('clears what was stored by anybody with one command, and no other namespace', async () => {
      const other = await openNode({ url: server.url }, { namespace: 'other' });
      opened.push(other);
      await other.cache.set('clear', 'other', LONG);
      await spread('clear', 'OLD');
      const before = await server.commandStats();
      await b.cache.clear();
      await becomes(() => a.cache.peek('clear') === undefined);
      const after = await server.commandStats();
      expect(after['evalsha']!.calls - before['evalsha']!.calls).toBe(1);
      expect(await Promise.all([a, b, other].map(({ cache }) => cache.get('clear')))).toEqual([
        undefined,
        undefined,
        'other',
      ]);
      expect(after['keys']?.calls ?? 0).toBe(before['keys']?.calls ?? 0);
    });
  });
});
