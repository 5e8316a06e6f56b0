import { Test, type TestingModule } from '@nestjs/testing';
import { RedisConnections, RedisModule } from '@roost/redis';
import { MutatedCommands } from '@roost/redis/testing';
import { RedisServer } from '@roost/testing';
import { decideScripts } from './stores/decide.lua.js';
import { MemoryRateLimitStore } from './stores/memory-rate-limit.store.js';
import type { DecideMode, LimitRequest, RateLimitStore, StoreVerdict } from './stores/rate-limit.store.js';
import {
  ALGORITHMS,
  assertAllOrNothing,
  assertBlocksDoNotExtend,
  assertExactUnderConcurrency,
  assertHoldsExpire,
  assertPeekChangesNothing,
  assertRetryIsExact,
  assertSettledOnce,
  redisStoreWithClock,
  type OpenedRateLimitStore,
} from './testing.js';

/** The suite is only worth something if it fails for stores that are broken: these are, each in one way. */
describe('the conformance suite', () => {
  describe('against scripts', () => {
    let server: RedisServer;
    let module: TestingModule;

    beforeAll(async () => {
      server = await RedisServer.start();
      const redis = RedisModule.forRoot({ url: server.url, backend: 'redis', commandTimeoutMs: 10_000 });
      module = await Test.createTestingModule({ imports: [redis] }).compile();
      await module.init();
    });
    afterAll(async () => {
      await module?.close();
      await server?.stop();
    });

    /** A store whose scripts have one line changed, which has to be there. */
    function broken(from: string, to: string): OpenedRateLimitStore {
      const { any, one, settle } = decideScripts();
      const scripts = [any.consume, one.consume, settle].filter(({ lua }) => lua.includes(from));
      expect([from, scripts.length > 0]).toEqual([from, true]);
      return opened((lua) => lua.replaceAll(from, to));
    }

    function opened(mutate: (lua: string) => string): OpenedRateLimitStore {
      const { commands } = module.get(RedisConnections).get().backend;
      return {
        ...redisStoreWithClock(new MutatedCommands(commands, (lua, { readOnly }) => (readOnly ? lua : mutate(lua)))),
        close: () => undefined,
      };
    }

    it('passes the scripts as they are', async () => {
      await assertAllOrNothing(opened((lua) => lua));
      await assertExactUnderConcurrency(opened((lua) => lua));
    });

    const oneByOne = `if reply[1] == 1 then
  for _, at in ipairs(limits) do
    if at.need > 0 then`;

    it('finds a script that writes limits one by one', async () => {
      const each = oneByOne.replace('reply[1] == 1', 'true').replace('at.need > 0', 'at.need > 0 and at.fits');
      await expect(assertAllOrNothing(broken(oneByOne, each))).rejects.toThrow(/toEqual/);
      await expect(assertExactUnderConcurrency(broken(oneByOne, each))).rejects.toThrow(/toEqual/);
    });

    it.each([
      ['gcra', 'return -1 - used', 'return -1 - used + 1000'],
      ['fixed-window', 'y = at.ends - now', 'y = at.ends - now - 1000'],
      ['calendar', 'y = at.ends - now', 'y = at.ends - now + 1000'],
      ['sliding-window', 'x, y, z = at.previous, at.used,', 'x, y, z = at.previous, at.used - 1,'],
      ['sliding-log', 'leaves_in(at, limit - cost + 1)', 'leaves_in(at, limit - cost + 2)'],
      ['concurrency', 'leaves_in(at, limit - cost + 1)', 'leaves_in(at, limit - cost)'],
    ] as const)('finds a script that tells wrong waits with %s', async (algorithm, from, to) => {
      await expect(assertRetryIsExact(broken(from, to), [algorithm])).rejects.toThrow(/toBe/);
    });

    it.each(ALGORITHMS)('finds a script that lets too many pass with %s', async (algorithm) => {
      const store = broken('<= at.capacity * at.per', '<= (at.capacity + at.need) * at.per');
      await expect(assertExactUnderConcurrency(store, algorithm)).rejects.toThrow(/toHaveLength/);
    });

    it('finds a small script that lets too many pass', async () => {
      const store = broken('> capacity', '> capacity + need');
      await expect(assertExactUnderConcurrency(store, 'gcra')).rejects.toThrow(/toHaveLength/);
    });

    it.each([
      ['gcra', 'table.remove(at.pending, i)', ''],
      ['sliding-window', 'table.remove(at.pending, i)', ''],
      ['sliding-log', "add_members(at, 's', id, 0,", 'add_members(at, kind, id, 0,'],
      ['concurrency', "add_members(at, 's', id, 0,", 'add_members(at, kind, id, 0,'],
    ] as const)('finds a script that settles twice with %s', async (algorithm, from, to) => {
      await expect(assertSettledOnce(broken(from, to), algorithm)).rejects.toThrow(/toBe/);
    });

    it.each(['gcra', 'concurrency'] as const)('finds a script that makes blocks longer with %s', async (algorithm) => {
      const store = broken('if not at.fits and not at.blocked and', 'if not at.fits and');
      await expect(assertBlocksDoNotExtend(store, algorithm)).rejects.toThrow(/toMatchObject/);
    });

    it.each([
      ['gcra', 'each.expires <= now', 'each.expires < 0'],
      ['calendar', 'each.expires <= now', 'each.expires < now'],
      ['fixed-window', 'used, each.gone = used - each.amount, true', 'used = used - each.amount'],
      ['sliding-log', 'now + expires * 1000', 'now + at.window'],
    ] as const)('finds a script whose holds do not expire as they should with %s', async (algorithm, from, to) => {
      await expect(assertHoldsExpire(broken(from, to), algorithm)).rejects.toThrow(/toBe/);
    });
  });

  it('finds a store that rounds waits down', async () => {
    await expect(assertRetryIsExact(inMemory((now) => new HastyStore(now)))).rejects.toThrow(/toBe/);
  });

  it('finds a store that reads, waits, and then writes', async () => {
    await expect(assertExactUnderConcurrency(inMemory((now) => new RacyStore(now)))).rejects.toThrow(/toHaveLength/);
  });

  it('finds a store that charges when it should only look', async () => {
    await expect(assertPeekChangesNothing(inMemory((now) => new CurtStore(now)))).rejects.toThrow(/toEqual/);
  });
});

/** Right, to be broken in one way. */
class SoundStore extends MemoryRateLimitStore {
  constructor(nowUs: () => number) {
    super({ nowUs });
    this.close(); // no sweeping
  }
}

/** Charges although asked to look. */
class CurtStore extends SoundStore {
  override decide(limits: readonly LimitRequest[]): Promise<StoreVerdict> {
    return super.decide(limits, 'consume');
  }
}

/** Tells waits that are up to a millisecond too short. */
class HastyStore extends SoundStore {
  override async decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    const verdict = await super.decide(limits, mode);
    const hasty = verdict.limits.map((limit) =>
      limit.retryAfterMs ? { ...limit, retryAfterMs: limit.retryAfterMs - 1 } : limit,
    );
    return { ...verdict, limits: hasty };
  }
}

/** Right for one caller at a time. */
class RacyStore extends SoundStore {
  override async decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    const verdict = await super.decide(limits, 'peek');
    if (verdict.allowed && mode === 'consume') await super.adjust(limits);
    return verdict;
  }
}

function inMemory(make: (nowUs: () => number) => RateLimitStore): OpenedRateLimitStore {
  let nowUs = 0;
  return { store: make(() => nowUs), setClock: (us) => void (nowUs = us), close: () => undefined };
}
