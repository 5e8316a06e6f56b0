import { CACHE_MANAGER, Cache, CacheModule } from '@nestjs/cache-manager';
import { Injectable, Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { InvalidOptionsError, RedisConnections, RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import { Keyv } from 'keyv';
import { RoostCacheManagerModule } from '../cache-manager.js';
import { CacheManagerConfig, type RoostCacheManagerOptions } from './cache-manager.options.js';
import { checkKeyv } from './keyv-format.js';

const SOON = { within: 5_000 };

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
});

afterAll(() => server?.stop());

const places = [
  ['redis', () => ({ url: server.url, backend: 'redis' as const, commandTimeoutMs: 5_000 })],
  ['memory', () => ({})],
] as const;

async function open(redis: object, options?: RoostCacheManagerOptions): Promise<TestingModule> {
  const app = await Test.createTestingModule({
    imports: [RedisModule.forRoot(redis), RoostCacheManagerModule.forRoot(options)],
  }).compile();
  await app.init();
  return app;
}

/** Names without what all of them begin with. */
async function stored(): Promise<string[]> {
  return (await server.keys('roost:cache-manager:*')).map((name) => name.slice('roost:cache-manager:'.length));
}

let warnings: jest.SpyInstance;
beforeEach(() => {
  warnings = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
});
afterEach(() => warnings.mockRestore());

describe.each(places)('CACHE_MANAGER over %s', (place, redis) => {
  let app: TestingModule;
  let cache: Cache;
  let errors: Error[];

  beforeAll(async () => {
    app = await open(redis(), { ttl: '1m', namespace: 'traps' });
    cache = app.get(Cache);
  });
  beforeEach(async () => {
    await cache.clear();
    errors = [];
    cache.stores[0]!.on('error', collect);
  });
  afterEach(() => cache.stores[0]!.off('error', collect));
  afterAll(() => app?.close());

  function collect(error: Error): void {
    errors.push(error);
  }

  it('is what both tokens give', () => expect(app.get(CACHE_MANAGER)).toBe(cache));

  it('T1: wrap loads once, and knows how long it keeps', async () => {
    const load = jest.fn(async () => ({ id: 1 }));
    for (let i = 0; i < 3; i++) expect(await cache.wrap('wrapped', load)).toEqual({ id: 1 });
    expect(load).toHaveBeenCalledTimes(1);
    expect(await cache.ttl('wrapped')).toBeGreaterThan(Date.now() + 50_000);
  });

  it('T8, T9: what a user wrote comes back as data, and runs nothing', async () => {
    const evil = '_function_x|function x(){ globalThis.hacked = true; }';
    const user = {
      run: evil,
      toJSON: evil,
      constructor: 'x',
      list: [
        '_date_2020-01-01T00:00:00.000Z',
        '_regexp_i|a',
        '_undefined_',
        '_symbol_x',
        ':colon',
        '2020-01-01T00:00:00.000Z',
      ],
      nested: { _constructor: 'x', $ref: '#', $: '_duplicate_["x"]' },
      ...(JSON.parse(
        `{"__proto__":{"admin":true},"then":${JSON.stringify(evil)},"inner":{"toJSON":{"then":1}}}`,
      ) as object),
    };
    for (const value of [user, evil, [evil], '_date_2020-01-01T00:00:00.000Z']) {
      await cache.set('user', value);
      const found = await cache.get('user');
      expect(found).toEqual(value);
      expect(await cache.wrap('user', () => 'not found')).toEqual(value);
      expect(await cache.mget(['user'])).toEqual([value]);
    }
    expect((globalThis as { hacked?: boolean }).hacked).toBeUndefined();
    expect(errors).toEqual([]);
  });

  it('T10: a ttl of 0 is no lifetime of the store, and yet not for ever', async () => {
    await cache.set('kept', 'value', 0);
    expect(await cache.get('kept')).toBe('value');
    expect(await cache.ttl('kept')).toBeUndefined();
    if (place === 'redis') {
      const left = Number(await server.command('PTTL', 'roost:cache-manager:traps:kept'));
      expect(left).toBeGreaterThan(365 * 86_400_000);
    }
  });

  it('T11, T15: the lifetime of the module is known to ttl(), as a moment', async () => {
    await cache.set('plain', 1);
    const endsAt = (await cache.ttl('plain'))!;
    expect(endsAt - Date.now()).toBeGreaterThan(50_000);
    expect(endsAt - Date.now()).toBeLessThanOrEqual(60_000);
  });

  it('T12: a fraction of a millisecond is rounded up', async () => {
    await cache.set('fraction', 'value', 40_000.5);
    expect(await cache.get('fraction')).toBe('value');
    expect(errors).toEqual([]);
  });

  it.each([[-1], [NaN], [Infinity], ['10s'], [{ ttl: 10 }]])(
    'T12: a ttl of %p is an error event, and what was there is not served',
    async (ttl) => {
      await cache.set('odd', 'before');
      expect(await cache.set('odd', 'after', ttl as number)).toBe('after');
      expect(errors.map(({ message }) => message)).toEqual([
        expect.stringMatching(/^Expected a ttl in milliseconds, got /),
      ]);
      expect(await cache.get('odd')).toBeUndefined();
    },
  );

  it('T13: a value that lives for 60 ms is warned of, once', async () => {
    for (let i = 0; i < 3; i++) await cache.set('short', 1, 60);
    const said = warnings.mock.calls.filter(([message]) => /is 60 milliseconds/.test(String(message)));
    expect(said).toHaveLength(1);
    await eventually(async () => expect(await cache.get('short')).toBeUndefined(), SOON);
  });

  it('T21: is iterated over without KEYS', async () => {
    await cache.mset<unknown>([
      { key: 'one', value: 1 },
      { key: '/cars?city=a b:c&x=*', value: [2] },
    ]);
    await cache.set('x'.repeat(2_000), 3);
    const found: unknown[] = [];
    for await (const entry of cache.stores[0]!.iterator!(undefined)) found.push(entry);
    expect(found).toHaveLength(2); // the long one is not told
    expect(found).toEqual(
      expect.arrayContaining([
        ['one', 1],
        ['/cars?city=a b:c&x=*', [2]],
      ]),
    );
  });

  it('T22: nothing to do is done, and many are told in order', async () => {
    expect(await cache.mget([])).toEqual([]);
    expect(await cache.mset([])).toEqual([]);
    expect(await cache.mdel([])).toBe(true);
    expect(await cache.stores[0]!.deleteMany([])).toBe(false);
    await cache.mset([
      { key: 'a', value: 1, ttl: 50_000 },
      { key: 'b', value: null },
    ]);
    expect(await cache.mget(['b', 'none', 'a'])).toEqual([null, undefined, 1]);
    await cache.mdel(['a', 'none']);
    expect(await cache.mget(['b', 'none', 'a'])).toEqual([null, undefined, undefined]);
    expect(await cache.stores[0]!.hasMany(['b', 'a'])).toEqual([true, false]);
  });

  it('T23: null is a value, undefined is none', async () => {
    await cache.set('null', null);
    await cache.set('undefined', undefined);
    expect(await cache.get('null')).toBeNull();
    expect(await cache.get('undefined')).toBeUndefined();
    expect(errors).toEqual([]);
  });

  it('T24: a key that begins like the namespace is another key', async () => {
    await cache.set('x', 'short');
    await cache.set('traps:x', 'long');
    expect([await cache.get('x'), await cache.get('traps:x')]).toEqual(['short', 'long']);
    expect(await cache.mget(['x', 'traps:x'])).toEqual(['short', 'long']);
    await cache.del('x');
    expect(await cache.mget(['x', 'traps:x'])).toEqual([undefined, 'long']);
  });

  it('T24: keys of any text never meet, however long', async () => {
    const keys = ['a', 'A', ' ', '*', '[a]', 'a:', ':', '{', '}{', '~', '%3A', 'ü', '\ud800', '\udfff', '\n'];
    keys.push('l'.repeat(5_000), `${'l'.repeat(5_000)}1`);
    await cache.mset(keys.map((key, value) => ({ key, value })));
    expect(await cache.mget(keys)).toEqual(keys.map((_, index) => index));
  });

  it('T25: what is no JSON is not stored, not thrown, and ends what was there', async () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    const thrower = {
      toJSON: () => {
        throw new Error('no');
      },
    };
    for (const value of [1n, cycle, thrower]) {
      await cache.set('odd', 'before');
      expect(await cache.set('odd', value)).toBe(value);
      expect(await cache.get('odd')).toBeUndefined();
      expect(await cache.wrap('wrapped', () => value)).toBe(value);
    }
    expect(errors).toHaveLength(6);
    expect(errors[0]!.cause).toBeInstanceOf(TypeError);
  });

  it('T25: dates become text, bytes stay bytes, and nothing is shared with the caller', async () => {
    const value = { at: new Date(0), bytes: Buffer.from('ü'), list: [1], colon: ':x' };
    await cache.set('mixed', value);
    value.list.push(2);
    const first = await cache.get<typeof value>('mixed');
    expect(first).toEqual({ at: '1970-01-01T00:00:00.000Z', bytes: Buffer.from('ü'), list: [1], colon: ':x' });
    first!.list.push(3);
    expect((await cache.get<typeof value>('mixed'))!.list).toEqual([1]);
  });

  it('T27: works on when modules are destroyed, as requests are still answered', async () => {
    await (cache as unknown as { onModuleDestroy(): Promise<void> }).onModuleDestroy();
    await cache.disconnect();
    await cache.set('late', 1);
    expect(await cache.get('late')).toBe(1);
  });

  it('refuses what is too long, and says so', async () => {
    await cache.set('long', 'short');
    await cache.set('long', 'x'.repeat(300_000));
    expect(await cache.get('long')).toBeUndefined();
    expect(errors.map(({ message }) => message)).toEqual([expect.stringMatching(/bytes, more than 262144/)]);
  });

  it('answers an empty key with a miss and an event', async () => {
    expect(await cache.get('')).toBeUndefined();
    await cache.set('', 1);
    await cache.del('');
    expect(errors.map(({ name }) => name)).toEqual(Array(3).fill('InvalidKeyError'));
  });
});

describe('CACHE_MANAGER in Redis', () => {
  let app: TestingModule;
  let cache: Cache;

  beforeAll(async () => {
    app = await open(places[0][1](), { namespace: 'mine' });
    cache = app.get(Cache);
  });
  beforeEach(() => server.command('FLUSHALL'));
  afterAll(() => app?.close());

  it("T4, T5: has a namespace without being told, inside what is Roost's", async () => {
    await cache.set('/cars?city=x', 1);
    expect(await stored()).toEqual(['mine:%2Fcars%3Fcity%3Dx']);
    expect(new CacheManagerConfig({}).namespace).toBe('app');
    expect(Number(await server.command('PTTL', 'roost:cache-manager:mine:%2Fcars%3Fcity%3Dx'))).toBeLessThanOrEqual(
      300_000,
    );
  });

  it('T6, T21, T22, T31: clears its namespace alone, and never asks for what blocks or harms others', async () => {
    const others = ['bull:jobs:1', 'roost:cache-manager:mine2:a', 'roost:cache-manager:min:a', 'cache-manager:mine:a'];
    for (const name of others) await server.command('SET', name, 'x');
    await server.command('CONFIG', 'RESETSTAT');
    await cache.mset(Array.from({ length: 1_200 }, (_, i) => ({ key: `k${i}`, value: i })));
    expect((await cache.mget(['k0', 'k1199'])).length).toBe(2);
    await cache.mdel(['k0', 'k1']);
    await cache.clear();
    const stats = await server.commandStats();
    for (const command of ['keys', 'flushdb', 'flushall', 'mget', 'mset', 'del', 'multi', 'subscribe']) {
      expect([command, stats[command]]).toEqual([command, undefined]);
    }
    expect(stats.unlink!.calls).toBe(1_200);
    expect(await server.keys()).toEqual(others.toSorted());
  });

  it('T6: is not cleared without a namespace', async () => {
    const store = cache.stores[0]!.store as { namespace?: string; clear(): Promise<void> };
    const { namespace } = store;
    store.namespace = undefined;
    await expect(store.clear()).rejects.toThrow(/no `namespace`/);
    store.namespace = namespace;
  });

  it('T7: the text is JSON in JSON, which apps with ioredis-yet can read', async () => {
    await cache.set('car', { id: 1 }, 60_000);
    const text = String(await server.command('GET', 'roost:cache-manager:mine:car'));
    expect(JSON.parse(JSON.parse(text))).toEqual({ value: { id: 1 }, expires: expect.any(Number) });
  });

  it('T8: what somebody else wrote is not revived', async () => {
    const evil = '_function_x|(globalThis.hacked = true, function x(){ globalThis.hacked = true; })';
    for (const text of [
      `{"value":${JSON.stringify(evil)},"then":${JSON.stringify(evil)},"toJSON":1}`,
      JSON.stringify(evil),
      '{"value":1}',
      'null',
      '7',
    ]) {
      await server.command('SET', 'roost:cache-manager:mine:foreign', text);
      expect(await cache.get('foreign')).toBeUndefined();
      expect(await cache.ttl('foreign')).toBeUndefined();
    }
    expect((globalThis as { hacked?: boolean }).hacked).toBeUndefined();
  });

  it('T14: what is no text of ours is a miss, and one of another type an event', async () => {
    const errors: unknown[] = [];
    const collect = (error: unknown) => void errors.push(error);
    cache.stores[0]!.on('error', collect);
    await server.command('SET', 'roost:cache-manager:mine:garbage', JSON.stringify('{"value":'));
    await server.command('SET', 'roost:cache-manager:mine:half', '"{\\"value');
    await server.command('RPUSH', 'roost:cache-manager:mine:list', 'x');
    await cache.set('good', 1);
    expect(await cache.mget(['garbage', 'half', 'list', 'good'])).toEqual([undefined, undefined, undefined, 1]);
    expect(await cache.stores[0]!.get('garbage')).toBeUndefined();
    expect(await cache.wrap('list', () => 'loaded')).toBe('loaded');
    expect(await cache.get('list')).toBe('loaded'); // it is replaced
    expect(errors.length).toBeGreaterThanOrEqual(3);
    cache.stores[0]!.off('error', collect);
  });

  it('T18, T31: opens no connection of its own, and leaves a blocked raw client alone', async () => {
    const connection = app.get(RedisConnections).get();
    await cache.set('warm', 1);
    await cache.get('warm');
    const clients = async () => String(await server.command('CLIENT', 'LIST')).match(/name=roost:default/g)!.length;
    const before = await clients();
    const blocked = connection.raw.blpop('nothing', 0);
    await eventually(async () => expect(await clients()).toBe(before + 1), SOON);
    const startedAt = performance.now();
    for (let i = 0; i < 20; i++) await cache.wrap(`k${i}`, () => i);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(await clients()).toBe(before + 1);
    await server.command('RPUSH', 'nothing', 'x');
    await blocked;
  });
});

describe('RoostCacheManagerModule', () => {
  it('T1: does not start on a Keyv that tells no lifetime', async () => {
    await expect(checkKeyv()).resolves.toBeUndefined();
    class LikeKeyv6 extends Keyv {
      override async get(key: string | string[]): Promise<never> {
        return (await super.get(key as string)) as never;
      }
    }
    await expect(checkKeyv(LikeKeyv6 as unknown as typeof Keyv)).rejects.toMatchObject({
      code: 'cache.unsupported-keyv',
      message: expect.stringContaining('npm install keyv@^5.6.0'),
    });
    class Broken extends Keyv {
      override async get(): Promise<never> {
        throw new Error('no such option');
      }
    }
    await expect(checkKeyv(Broken)).rejects.toMatchObject({ code: 'cache.unsupported-keyv', cause: expect.any(Error) });
  });

  it('T3: names every option that is wrong or unknown, at once', () => {
    const options = {
      ttl: '5',
      namespace: 'a:b',
      connection: 7,
      timeoutMs: 0.5,
      store: {},
      maxValueBytes: 0,
      memoryMaxBytes: -1,
      refreshThreshold: 0,
    };
    let refused: InvalidOptionsError | undefined;
    try {
      new CacheManagerConfig(options as unknown as RoostCacheManagerOptions);
    } catch (error) {
      refused = error as InvalidOptionsError;
    }
    expect(refused).toBeInstanceOf(InvalidOptionsError);
    expect(refused!.problems).toHaveLength(8);
    for (const name of Object.keys(options)) expect(refused!.message).toContain(`\`${name}\``);
  });

  it('T13: warns of a ttl in the options that looks like seconds', async () => {
    await (await open({}, { ttl: 60 })).close();
    expect(warnings).toHaveBeenCalledWith(
      expect.stringMatching(/`ttl` is 60, .*60 milliseconds.*write 60000/),
      expect.anything(),
    );
    warnings.mockClear();
    await (await open({}, { ttl: '60ms' })).close();
    await (await open({}, { ttl: 60_000 })).close();
    expect(warnings.mock.calls.filter(([message]) => /milliseconds/.test(String(message)))).toEqual([]);
  });

  it('refuses a connection that there is not', async () => {
    await expect(open({}, { connection: 'other' })).rejects.toThrow(InvalidOptionsError);
  });

  it('takes its options from a factory, and is injected anywhere', async () => {
    @Injectable()
    class Somewhere {
      constructor(readonly cache: Cache) {}
    }
    const app = await Test.createTestingModule({
      imports: [
        RedisModule.forRoot({}),
        RoostCacheManagerModule.forRootAsync({
          useFactory: async () => ({ refreshThreshold: '1m', ttl: '2m' as const }),
        }),
        { module: class Elsewhere {}, providers: [Somewhere], exports: [Somewhere] },
      ],
    }).compile();
    await app.init();
    const { cache } = app.get(Somewhere, { strict: false });
    const load = jest.fn(() => 'value');
    await cache.wrap('key', load, 30_000);
    await cache.wrap('key', load, 30_000);
    await eventually(() => expect(load).toHaveBeenCalledTimes(2), SOON); // less than a minute was left
    await app.close();
  });

  it('leaves a CacheModule of one feature alone', async () => {
    const app = await Test.createTestingModule({
      imports: [RedisModule.forRoot({}), RoostCacheManagerModule.forRoot(), CacheModule.register()],
    }).compile();
    expect(app.get(CacheManagerConfig, { strict: false }).ttlMs).toBe(300_000);
    await app.close();
  });
});
