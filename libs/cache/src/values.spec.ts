import { Metrics } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import type { CacheOptions } from './cache.options.js';
import { becomes, logged, LONG, openNode, wireOf, type CacheNode } from './cache.testbed.js';
import type { Codec } from './values/codec.js';

/** What may be stored, how it comes back, and that nobody can change it. */
describe('values', () => {
  let server: RedisServer;
  let a: CacheNode;
  let b: CacheNode;

  beforeAll(async () => {
    server = await RedisServer.start();
    [a, b] = await Promise.all([
      openNode({ url: server.url }),
      openNode({ url: server.url }, { compressFromBytes: 1_000, near: { maxBytes: 10_000_000 } }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([a, b].map((each) => each?.close()));
    await server?.stop();
  });

  it.each([
    '{"then":"_function_x|return 1"}',
    '{"then":{"then":"x"}}',
    '{"toJSON":"x"}',
    '{"__proto__":{"admin":true}}',
    '{"constructor":{"prototype":{"admin":true}}}',
    '{"hasOwnProperty":1,"valueOf":2,"toString":3}',
    '{"$date":"2026-01-01","type":"Buffer","data":[1]}',
    '"_function_() => 1"',
    '":base64:x"',
  ])('46: %s stays plain data', async (text) => {
    const value: unknown = JSON.parse(text);
    const key = `46${text}`;
    expect(JSON.stringify(await a.cache.getOrSet(key, () => ({ value }), LONG))).toBe(`{"value":${text}}`);
    expect(await a.cache.set(`${key} set`, { value }, LONG)).toBe(true);
    for (const name of [key, `${key} set`]) {
      const { value: found } = (await b.cache.get<{ value: unknown }>(name))!;
      expect(JSON.stringify(found)).toBe(text);
      expect(['object', 'string']).toContain(typeof found);
    }
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('46: an object with `then` is handed out as it is where nothing awaits it, and resolves to no code', async () => {
    const text = '{"then":"text"}';
    await a.cache.set('46 then', JSON.parse(text), LONG);
    expect(JSON.stringify(await b.cache.get('46 then'))).toBe(text);
  });

  class Money {
    constructor(readonly cents: number) {}
    get euros() {
      return this.cents / 100;
    }
  }
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  const codec: Codec = {
    id: 16,
    name: 'broken',
    encode: () => Buffer.from('x'),
    decode: () => {
      throw new Error('unreadable');
    },
  };
  it.each<[string, unknown, CacheOptions, unknown]>([
    ['a date', new Date(0), {}, '1970-01-01T00:00:00.000Z'],
    ['an instance', new Money(5), {}, { cents: 5 }],
    ['a map', new Map([[1, 2]]), {}, {}],
    ['a buffer', Buffer.from('x'), {}, { type: 'Buffer', data: [120] }],
    ['holes', { a: undefined, b: [undefined] }, {}, { b: [null] }],
    ['a map, v8', new Map([[1, new Set([2])]]), { codec: 'v8' }, new Map([[1, new Set([2])]])],
    ['a big integer, v8', { big: 1n }, { codec: 'v8' }, { big: 1n }],
    ['a cycle, v8', cycle, { codec: 'v8' }, cycle],
    ['a date, v8', new Date(0), { codec: 'v8' }, new Date(0)],
    ['an instance, v8', new Money(5), { codec: 'v8' }, { cents: 5 }],
  ])('47: the first caller gets of %s what the others get', async (what, value, options, expected) => {
    const key = `47 ${what}`;
    const first = await a.cache.fetch(key, () => value, { ...LONG, ...options });
    const others = await Promise.all([a, b].map(({ cache }) => cache.get(key)));
    expect(first.stored).toBe(true);
    for (const each of [first.value, ...others]) expect(each).toEqual(expected);
    expect(first.value).not.toBeInstanceOf(Money);
  });

  it.each<[string, unknown, CacheOptions]>([
    ['a cycle', cycle, {}],
    ['a big integer', 1n, {}],
    ['a function', () => 1, {}],
    ['a symbol', Symbol('x'), {}],
    ['a function, v8', () => 1, { codec: 'v8' }],
    [
      'what throws',
      {
        toJSON: () => {
          throw new Error('no');
        },
      },
      {},
    ],
    ['what its codec cannot read', { a: 1 }, { codec }],
    ['what is too long', 'x'.repeat(10_240), {}],
  ])('47: %s is returned, and not stored', async (what, value, options) => {
    const key = `47 ${what}`;
    await a.cache.set(key, 'there', LONG);
    expect(await a.cache.set(key, value, { ...LONG, ...options })).toBe(false);
    expect(await b.cache.get(key)).toBeUndefined();
    const { value: given, stored } = await a.cache.fetch(key, () => value, { ...LONG, ...options });
    expect([given === value, stored]).toEqual([true, false]);
    expect([await server.command('EXISTS', wireOf(key).lease), await b.cache.get(key)]).toEqual([0, undefined]);
    expect(a.cache.stats().pendingInvalidations).toBe(0);
  });

  it('47: what is long is warned of once in a while, and counted', () => {
    expect(logged.filter((line) => /value of|cannot be written/i.test(line))).toHaveLength(1);
    expect(a.cache.stats().oversize).toBe(2);
  });

  it.each(['json', 'v8'] as const)('48: nobody can change what others get (%s)', async (codecName) => {
    interface Car {
      id: number;
      tags: string[];
      deep: { list: { x: number }[] };
    }
    const own: Car = { id: 1, tags: ['a'], deep: { list: [{ x: 1 }] } };
    const key = `48 ${codecName}`;
    const options: CacheOptions = { ...LONG, codec: codecName };
    const first = await a.cache.getOrSet(key, () => own, options);
    own.id = 2; // what the loader gave is its own
    await becomes(async () => (await a.cache.get(key)) !== undefined && a.cache.peek(key) !== undefined);
    for (const given of [first, (await a.cache.get<Car>(key))!, (await a.cache.getMany<Car>([key]))[0]!]) {
      for (const change of [
        () => (given.id = 3),
        () => given.tags.push('b'),
        () => (given.deep.list[0]!.x = 2),
        () => Reflect.deleteProperty(given, 'deep'),
      ]) {
        if (codecName === 'json') expect(() => change() === true && fail()).not.toThrow(/fail/);
        else change();
      }
    }
    expect(await a.cache.get(key)).toEqual({ id: 1, tags: ['a'], deep: { list: [{ x: 1 }] } });
    expect(await b.cache.get(key)).toEqual({ id: 1, tags: ['a'], deep: { list: [{ x: 1 }] } });
  });

  it('what is compressed in Redis reads the same, by whomever', async () => {
    const text = 'compressible '.repeat(500);
    for (const options of [LONG, { ...LONG, codec: 'v8' } as const]) {
      await b.cache.set('compressed', { text }, options);
      expect(Number(await server.command('STRLEN', wireOf('compressed').entry))).toBeLessThan(1_000);
      expect(await a.cache.get('compressed')).toEqual({ text });
    }
  });

  // The near cache alone is tried with 100 000 in its own spec.
  it('57: twenty thousand loaded values leave nothing behind but the budget', async () => {
    const node = await openNode({}, { near: { maxBytes: 200_000 } });
    for (let key = 0; key < 20_000; key += 1_000) {
      const keys = Array.from({ length: 1_000 }, (_, index) => `57 ${key + index}`);
      await Promise.all(keys.map((each) => node.cache.getOrSet(each, () => each, LONG)));
      await node.cache.getMany(keys.slice(0, 500));
    }
    const { near } = node.cache.stats();
    expect(near.bytes).toBeLessThanOrEqual(200_000);
    expect(near.entries).toBeLessThan(500);
    await node.cache.clear();
    await node.close();
  });

  // The cache publishes on no channel of its own: there is no subscriber that could break it.
  it('58: metrics name no key and no tag', async () => {
    await a.cache.getOrSet('58 some-key', () => 1, { ...LONG, tags: ['some-tag'] });
    await a.cache.invalidateTags('some-tag');
    const text = await a.app.get(Metrics, { strict: false }).registry.metrics();
    expect(text).toContain('roost_cache_requests_total{result="hit_redis"');
    expect(text).not.toMatch(/some-key|some-tag/);
  });
});
