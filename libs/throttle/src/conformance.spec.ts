import { Test, type TestingModule } from '@nestjs/testing';
import { defineScript, RedisConnections, RedisModule, type Commands, type Key } from '@roost/redis';
import { RedisServer } from '@roost/testing';
import { charged, fits, remainingOf, resetUsOf, retryUsOf, usToMs } from './algorithms/algorithm.js';
import { gcra } from './algorithms/gcra.js';
import { MemoryRateLimitStore } from './stores/memory-rate-limit.store.js';
import { RateLimitStore, type DecideMode, type LimitRequest, type StoreVerdict } from './stores/rate-limit.store.js';
import {
  assertAllOrNothing,
  assertExactUnderConcurrency,
  assertPeekChangesNothing,
  assertRetryIsExact,
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

    function opened(mutate: (lua: string) => string): OpenedRateLimitStore {
      const { commands } = module.get(RedisConnections).get().backend;
      return { ...redisStoreWithClock(new MutatedCommands(commands, mutate)), close: () => undefined };
    }

    it('passes the script as it is', async () => {
      await assertAllOrNothing(opened((lua) => lua));
      await assertExactUnderConcurrency(opened((lua) => lua));
    });

    it('finds a script that writes limits one by one', async () => {
      const ifItFits = 'if need > 0 and used + need <= tonumber(ARGV[3 * i]) then';
      const broken = opened((lua) =>
        replaced(replaced(lua, 'if reply[1] == 1 then', 'if true then'), 'if need > 0 then', ifItFits),
      );
      await expect(assertAllOrNothing(broken)).rejects.toThrow(/toEqual/);
      await expect(assertExactUnderConcurrency(broken)).rejects.toThrow(/toEqual/);
    });

    it('finds a script that tells of less than was used', async () => {
      const broken = opened((lua) => lua.replace('return -1 - used', 'return -1 - used + 1000'));
      await expect(assertRetryIsExact(broken)).rejects.toThrow(/toBe/);
    });

    it('finds a script that lets one too many pass', async () => {
      const broken = opened((lua) => replaced(lua, '> capacity', '> capacity + need'));
      await expect(assertExactUnderConcurrency(broken)).rejects.toThrow(/toHaveLength/);
      await expect(assertRetryIsExact(broken)).rejects.toThrow(/toBe/);
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

/** Asks each limit by itself, and charges although asked to look. */
class CurtStore extends RateLimitStore {
  readonly #inner: MemoryRateLimitStore;

  constructor(nowUs: () => number) {
    super();
    this.#inner = new MemoryRateLimitStore({ nowUs });
  }

  decide = (limits: readonly LimitRequest[]): Promise<StoreVerdict> => this.#inner.decide(limits, 'consume');
  reset = (keys: readonly Key[]): Promise<number> => this.#inner.reset(keys);
}

/** Tells waits that are up to a millisecond too short. */
class HastyStore extends RateLimitStore {
  readonly #inner: MemoryRateLimitStore;

  constructor(nowUs: () => number) {
    super();
    this.#inner = new MemoryRateLimitStore({ nowUs });
  }

  async decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    const verdict = await this.#inner.decide(limits, mode);
    const hasty = verdict.limits.map((limit) =>
      limit.retryAfterMs ? { ...limit, retryAfterMs: limit.retryAfterMs - 1 } : limit,
    );
    return { ...verdict, limits: hasty };
  }

  reset = (keys: readonly Key[]): Promise<number> => this.#inner.reset(keys);
}

/** Right for one caller at a time. */
class RacyStore extends RateLimitStore {
  readonly #tats = new Map<string, number>();

  constructor(private readonly nowUs: () => number) {
    super();
  }

  async decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict> {
    const now = this.nowUs();
    const levels = limits.map((limit) => gcra.level(this.#tats.get(limit.key.name), limit, now));
    const allowed = levels.every((level, i) => fits(level, limits[i]!.limit, limits[i]!.cost));
    await Promise.resolve(); // a round trip to somewhere
    const after = levels.map((level, i) => (allowed && mode === 'consume' ? charged(level, limits[i]!.cost) : level));
    for (const [i, level] of after.entries()) this.#tats.set(limits[i]!.key.name, gcra.state(level, limits[i]!, now));
    return {
      allowed,
      limits: after.map((level, i) => ({
        allowed,
        remaining: remainingOf(level),
        retryAfterMs: usToMs(retryUsOf(level, limits[i]!.limit, limits[i]!.cost) ?? 0),
        resetAfterMs: usToMs(resetUsOf(level)),
      })),
    };
  }

  reset = (): Promise<number> => Promise.resolve(0);
}

/** Runs every script with a change in its text. */
class MutatedCommands {
  readonly read: Commands['read'];
  readonly write: Commands['write'];
  readonly pipeline: Commands['pipeline'];
  readonly run: Commands['run'];

  constructor(commands: Commands, mutate: (lua: string) => string) {
    this.read = commands.read.bind(commands);
    this.write = commands.write.bind(commands);
    this.pipeline = commands.pipeline.bind(commands);
    this.run = (script, keys, args) => {
      const lua = script.readOnly ? script.lua : mutate(script.lua);
      const shape = { keys: ['limits...'], args: ['requests...'], reply: script.reply, lua } as const;
      return commands.run({ ...script, lua, sha1: defineScript(script.name, shape).sha1 }, keys, args);
    };
  }
}

function inMemory(make: (nowUs: () => number) => RateLimitStore): OpenedRateLimitStore {
  let nowUs = 0;
  return { store: make(() => nowUs), setClock: (us) => void (nowUs = us), close: () => undefined };
}

function replaced(lua: string, from: string, to: string): string {
  expect(lua).toContain(from);
  return lua.replace(from, to);
}
