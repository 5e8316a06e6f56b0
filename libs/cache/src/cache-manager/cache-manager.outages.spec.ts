import { Cache } from '@nestjs/cache-manager';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Backend, HealthRegistry, RedisModule } from '@roost/redis';
import { eventually, RedisServer } from '@roost/testing';
import { RoostCacheManagerModule } from '../cache-manager.js';
import type { RoostCacheManagerOptions } from './cache-manager.options.js';

const SOON = { within: 10_000 };
/** The deadline of 250 ms, the moment of grace after a stall, and a machine that has other things to do. */
const IN_TIME_MS = 700;

let server: RedisServer;
let app: TestingModule | undefined;
let cache: Cache;
let backend: Backend;
let warnings: jest.SpyInstance;
const unhandled: unknown[] = [];
const collect = (reason: unknown) => void unhandled.push(reason);

beforeAll(() => void process.on('unhandledRejection', collect));
afterAll(() => void process.off('unhandledRejection', collect));

beforeEach(async () => {
  for (const level of ['error', 'log'] as const)
    jest.spyOn(Logger.prototype, level).mockImplementation(() => undefined);
  warnings = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  server = await RedisServer.start();
});
afterEach(async () => {
  if (server.running) server.thaw();
  await app?.close();
  await server.stop();
  expect(unhandled).toEqual([]);
  jest.restoreAllMocks();
});

async function open(options?: RoostCacheManagerOptions, redis?: object): Promise<void> {
  app = await Test.createTestingModule({
    imports: [
      RedisModule.forRoot({ url: server.url, recheckMs: 200, ...redis }),
      RoostCacheManagerModule.forRoot({ ttl: '1m', ...options }),
    ],
  }).compile();
  await app.init();
  cache = app.get(Cache);
  backend = app.get(Backend);
}

function health() {
  return app!.get(HealthRegistry).reports()['cache-manager'];
}

/** Every operation, one after the other: what each gave, and how long it took. */
async function everything() {
  const operations: Record<string, () => Promise<unknown>> = {
    get: () => cache.get('key'),
    mget: () => cache.mget(['key', 'other']),
    set: () => cache.set('key', 'new'),
    mset: () => cache.mset([{ key: 'key', value: 'new' }]),
    ttl: () => cache.ttl('key'),
    wrap: () => cache.wrap('key', () => 'loaded'),
    del: () => cache.del('key'),
    mdel: () => cache.mdel(['key', 'other']),
    has: () => cache.stores[0]!.has('key'),
    keyvMany: () => cache.stores[0]!.getMany(['key']),
    clear: () => cache.clear(),
  };
  const took: Record<string, number> = {};
  const gave: Record<string, unknown> = {};
  for (const [name, run] of Object.entries(operations)) {
    const startedAt = performance.now();
    gave[name] = await run();
    took[name] = performance.now() - startedAt;
  }
  return { took, gave };
}

const NOTHING = {
  get: undefined,
  mget: [undefined, undefined],
  set: 'new',
  mset: [{ key: 'key', value: 'new', ttl: 60_000 }],
  ttl: undefined,
  wrap: 'loaded',
  del: true,
  mdel: true,
  has: false,
  keyvMany: [undefined],
  clear: true,
};

describe('CACHE_MANAGER without its Redis', () => {
  it('37, T17: Redis is killed: each operation is a miss within the deadline', async () => {
    await open();
    await cache.set('key', 'old');
    await server.kill();
    const { took, gave } = await everything();
    expect(gave).toEqual(NOTHING);
    for (const [name, ms] of Object.entries(took))
      expect([name, ms < (name === 'wrap' ? 2 : 1) * IN_TIME_MS]).toEqual([name, true]);
    await eventually(() => expect(backend.current).toBe('memory'), SOON);
    const events: unknown[] = [];
    cache.stores[0]!.on('error', (error) => events.push(error));
    const again = await everything();
    expect(events).toEqual([]); // an outage is announced once, not by each call
    expect(again.gave).toEqual(NOTHING);
    expect(Object.values(again.took).reduce((sum, ms) => sum + ms)).toBeLessThan(100);
  });

  it('38, T17: Redis is frozen: the same', async () => {
    await open();
    await cache.set('key', 'old');
    server.freeze();
    const { took, gave } = await everything();
    expect(gave).toEqual(NOTHING);
    for (const [name, ms] of Object.entries(took))
      expect([name, ms < (name === 'wrap' ? 2 : 1) * IN_TIME_MS]).toEqual([name, true]);
    await eventually(async () => {
      await cache.get('key');
      expect(backend.current).toBe('memory');
    }, SOON);
    const again = await everything();
    expect(again.gave).toEqual(NOTHING);
    expect(Object.values(again.took).reduce((sum, ms) => sum + ms)).toBeLessThan(100);
  });

  it('T17: waits no longer than timeoutMs where that is shorter', async () => {
    await open({ timeoutMs: 40 }, { commandTimeoutMs: 5_000 });
    server.freeze();
    const { took, gave } = await everything();
    expect(gave).toEqual(NOTHING);
    for (const [name, ms] of Object.entries(took)) expect([name, ms < 400]).toEqual([name, true]);
  });

  it('T16, T19: a thousand failures are a few lines in the log, and nothing that nobody handles', async () => {
    await open();
    server.freeze();
    await Promise.all(Array.from({ length: 1_000 }, (_, i) => cache.wrap(`k${i}`, () => i)));
    await server.kill();
    await Promise.all(Array.from({ length: 1_000 }, (_, i) => cache.wrap(`k${i}`, () => i)));
    const said = warnings.mock.calls.filter(([, details]) =>
      (details as { event?: string })?.event?.startsWith('cache-manager'),
    );
    expect(said.length).toBeLessThanOrEqual(1);
  });

  it('starts without Redis, and uses it when it is there', async () => {
    await server.kill();
    await open();
    await cache.set('key', 'early');
    expect(await cache.get('key')).toBeUndefined();
    await server.restart();
    await eventually(async () => {
      await cache.set('key', 'value');
      expect(await cache.get('key')).toBe('value');
    }, SOON);
  });

  it('does not serve, when Redis is back, what was replaced or removed while it was away', async () => {
    await open();
    for (const key of ['deleted', 'replaced', 'kept', 'removed']) await cache.set(key, 'old');
    server.freeze();
    await cache.del('deleted'); // is given up after the deadline; it may run later
    await eventually(async () => {
      await cache.get('kept');
      expect(backend.current).toBe('memory');
    }, SOON);
    await cache.set('replaced', 'new');
    await cache.mdel(['removed']);
    expect(health()).toEqual({ status: 'degraded', backend: 'memory', inDoubt: 3 });
    server.thaw();
    await eventually(async () => expect(await cache.get('kept')).toBe('old'), SOON);
    for (const key of ['deleted', 'replaced', 'removed']) expect([key, await cache.get(key)]).toEqual([key, undefined]);
    await eventually(
      async () => expect(await server.keys('roost:cache-manager:*')).toEqual(['roost:cache-manager:app:kept']),
      SOON,
    );
    await eventually(() => expect(health()).toEqual({ status: 'up', backend: 'redis', inDoubt: 0 }), SOON);
    await cache.set('replaced', 'newer');
    expect(await cache.get('replaced')).toBe('newer');
  });

  it('does not serve, when Redis is back, what was cleared while it was away', async () => {
    await open();
    await cache.mset(Array.from({ length: 1_100 }, (_, i) => ({ key: `k${i}`, value: i })));
    await server.command('SET', 'roost:cache-manager:other:k1', 'x');
    backend.force('memory');
    expect([await cache.get('k7'), await cache.stores[0]!.has('k7')]).toEqual([undefined, false]);
    await cache.clear();
    backend.force(null);
    expect([await cache.get('k7'), await cache.stores[0]!.has('k7')]).toEqual([undefined, false]);
    await eventually(
      async () => expect(await server.keys('roost:cache-manager:*')).toEqual(['roost:cache-manager:other:k1']),
      SOON,
    );
    await eventually(async () => {
      await cache.set('k7', 'new');
      expect(await cache.get('k7')).toBe('new');
    }, SOON);
  });

  it('clears all when too much was removed to be remembered', async () => {
    await open();
    await cache.mset([
      { key: 'k1', value: 1 },
      { key: 'untouched', value: 2 },
    ]);
    backend.force('memory');
    await cache.mdel(Array.from({ length: 10_001 }, (_, i) => `k${i}`));
    backend.force(null);
    expect(await cache.mget(['k1', 'untouched'])).toEqual([undefined, undefined]);
    await eventually(async () => expect(await server.keys('roost:cache-manager:*')).toEqual([]), SOON);
  });
});
