import { connect, MutatedCommands } from '@roost/redis/testing';
import { eventually, RedisServer } from '@roost/testing';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CacheKeys } from './cache.keys.js';
import { MemoryCacheStore } from './stores/memory-cache.store.js';
import type { CacheStore, Commit, Lease } from './stores/cache.store.js';
import { RedisCacheStore } from './stores/redis-cache.store.js';
import { Bench, cacheVectors, describeCacheStore, SPACE, type OpenedCacheStore } from './testing.js';

type Mutate = ConstructorParameters<typeof MutatedCommands>[1];

function openMemory(Store: new (options: never) => CacheStore = MemoryCacheStore): OpenedCacheStore {
  let ms = 1_800_000_000_000;
  const changed: string[] = [];
  const options = { maxBytes: 1e6, onChange: (names: readonly string[]) => changed.push(...names), now: () => ms };
  const store = new Store(options as never);
  return { store, changed, pass: (by) => void (ms += by), endless: () => [], close: () => undefined };
}

/** A store in a Redis of its own, whose changes are told by the server, or by the scripts. */
async function openRedis({ rules = [] as string[], mutate }: { rules?: string[]; mutate?: Mutate } = {}) {
  const server = await RedisServer.start();
  await server.command('ACL', 'SETUSER', 'app', 'reset', 'on', 'nopass', '~*', '&*', '+@all', ...rules);
  const redis = await connect({ url: server.url.replace('redis://', 'redis://app:x@'), commandTimeoutMs: 5_000 });
  const { entries, tags } = new CacheKeys(SPACE).prefixes;
  const changed: string[] = [];
  const nothing = () => undefined;
  const tracking = redis.connection.track({
    prefixes: [entries, tags],
    probe: new CacheKeys(SPACE).probe(randomBytes(9).toString('base64url')),
    channel: `cache:${SPACE}`,
    listener: {
      changed: (names) => void changed.push(...names),
      flushed: nothing,
      lost: nothing,
      coherent: nothing,
      prepare: () => Promise.resolve(),
    },
  });
  await eventually(() => tracking.coherent, { within: 5_000 });
  const commands = mutate === undefined ? redis.commands : new MutatedCommands(redis.commands, mutate);
  const opened: OpenedCacheStore = {
    store: new RedisCacheStore(commands as never, () => tracking.announceTo),
    changed,
    pass: (ms) => sleep(ms),
    endless: async () => {
      const names = await server.keys(`roost:cache:${SPACE}:*`);
      const lefts = await Promise.all(names.map((name) => server.command('PTTL', name)));
      expect(names.length).toBeGreaterThan(5);
      return names.filter((_, index) => lefts[index] === -1);
    },
    close: async () => {
      await redis.close();
      await server.stop();
    },
  };
  return opened;
}

describeCacheStore('memory', () => openMemory());
describeCacheStore('Redis, whose server tells of changes', () => openRedis());
describeCacheStore('Redis, whose writers tell of changes', () => openRedis({ rules: ['-client|tracking'] }));

/** Whether a store keeps the promise whose name begins so. */
async function keeps(opened: OpenedCacheStore, promise: string): Promise<boolean> {
  const found = cacheVectors.filter(({ name }) => name.startsWith(promise));
  expect(found.map(({ name }) => name)).toHaveLength(1);
  try {
    await found[0]!.check(new Bench(opened));
    return true;
  } catch {
    return false;
  }
}

/** The suite is only worth something if stores that are broken fail it: these are, each in one way. */
describe('the suite of cache stores', () => {
  class Generous extends MemoryCacheStore {
    override async begin(...[slot, seen, lease]: Parameters<MemoryCacheStore['begin']>) {
      return { ...(await super.begin(slot, seen, lease)), leased: true };
    }
  }
  class Trusting extends MemoryCacheStore {
    override async commit(slot: Parameters<MemoryCacheStore['commit']>[0], commit: Commit) {
      await super.put(slot, commit.bytes, commit.lifeMs);
      return true;
    }
  }
  class Stubborn extends MemoryCacheStore {
    override begin(slot: Parameters<MemoryCacheStore['begin']>[0], seen: Buffer, lease: Lease) {
      return super.begin(slot, seen, { ...lease, stamp: 1 });
    }
  }
  class Standing extends MemoryCacheStore {
    override async bump(tags: Parameters<MemoryCacheStore['bump']>[0]) {
      return (await super.ensure(tags, 1_000)).map(({ version }) => version);
    }
  }
  it.each([
    ['gives everybody leave', Generous, 'of a hundred who ask'],
    [
      'stores whatever it is given',
      Trusting,
      'a load that began with nothing stores nothing once the value was removed',
    ],
    ['lets nobody take over', Stubborn, 'stamps are compared as numbers'],
    ['invalidates nothing', Standing, 'each invalidation is another version'],
  ] as const)('finds one that %s', async (_what, Broken, promise) => {
    expect([await keeps(openMemory(), promise), await keeps(openMemory(Broken), promise)]).toEqual([true, false]);
  });

  describe('against scripts', () => {
    let mutate: Mutate = (lua) => lua;
    let opened: OpenedCacheStore;
    beforeAll(async () => {
      opened = await openRedis({ mutate: (...script) => mutate(...script) });
    });
    afterAll(() => opened?.close());

    it.each([
      [
        `if not mine(KEYS[2]) then return 0 end\n    redis.call('DEL', KEYS[2])\n    local`,
        'local',
        'a load that began with nothing stores nothing once the value was removed',
      ],
      [
        `if type(there) == 'string' and there ~= ARGV[4] then return 0 end`,
        '',
        'a load stores nothing when what it saw is gone',
      ],
      [`redis.call('UNLINK', KEYS[2])\n    if`, 'if', 'a load that saw nothing stores nothing after a value'],
      [
        `if left < 0 or tonumber(stamp or 0) < tonumber(ARGV[2]) then`,
        'if stamp < ARGV[2] then',
        'stamps are compared as numbers',
      ],
      [`if left < 0 or tonumber(stamp or 0) < tonumber(ARGV[2]) then`, 'if true then', 'only a load that saw more'],
      [`, 'NX', 'PX', ARGV[4]`, `, 'PX', ARGV[4]`, 'of a hundred who ask'],
      [
        `local loading = redis.call('UNLINK', KEYS[2])`,
        `local loading = redis.call('EXISTS', KEYS[2])`,
        'a load that began with nothing stores nothing once the value was removed',
      ],
      [
        `if there == 0 and loading == 1 then redis.pcall('SET', KEYS[1], '', 'PX', 1) end`,
        '',
        'a load without a value is removed',
      ],
      [
        `if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], '', 'PX', 1) end`,
        '',
        'a load that is given up tells',
      ],
      [`math.max(ARGV[3], redis.call('PTTL', KEYS[1]))`, 'ARGV[3]', 'a tag lives as long as it was last asked'],
      [`redis.call('PEXPIRE', KEYS[1], ARGV[3])`, '', 'a tag lives as long as it was last asked'],
      [`there ~= '' and there == ARGV[3]`, 'true', 'the ends of a value are moved'],
      [`sub(there, 1, 16) ~= ARGV[1]`, `sub(there, 1, 16) == ARGV[1]`, 'what is there and was not seen'],
      [
        `local t = redis.call('TIME')\n    local now = t[1] * 1000000`,
        `local t = { 0, 0 }\n    local now = t[1] * 1000000`,
        'a tag that ended is made anew',
      ],
    ])('finds one without %j (%#)', async (from, to, promise) => {
      mutate = (lua) => lua;
      const kept = await keeps(opened, promise);
      let found = 0;
      mutate = (lua) => {
        if (lua.includes(from)) found++;
        return lua.replaceAll(from, to);
      };
      expect([kept, await keeps(opened, promise), found > 0]).toEqual([true, false, true]);
    });
  });
});
