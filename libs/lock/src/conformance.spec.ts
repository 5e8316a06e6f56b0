import { connect, MutatedCommands, type Connected } from '@roost/redis/testing';
import { RedisServer } from '@roost/testing';
import type { LockClaim, LockHold, LockStore } from './stores/lock.store.js';
import { MemoryLockStore } from './stores/memory-lock.store.js';
import { RedisLockStore } from './stores/redis-lock.store.js';
import { Bench, lockVectors, passInRedis, WAITER_TTL_MS, type OpenedLockStore } from './testing.js';

// So many schedules that a store which keeps no claim back is met by one of them.
const vectors = lockVectors(200);

/** Whether a store keeps the promise whose name begins so. */
async function keeps(opened: OpenedLockStore, promise: string): Promise<boolean> {
  const found = vectors.filter(({ name }) => name.startsWith(promise));
  expect(found.map(({ name }) => name)).toHaveLength(1);
  const bench = new Bench(opened);
  try {
    await found[0]!.check(bench);
    return true;
  } catch {
    return false;
  } finally {
    bench.close();
  }
}

/** The suite is only worth something if stores that are broken fail it: these are, each in one way. */
describe('the suite of lock stores', () => {
  describe('against stores', () => {
    class NoRetry extends MemoryLockStore {
      #tries = 0;

      override acquire(claim: LockClaim) {
        return super.acquire({ ...claim, holder: `${claim.holder}${this.#tries++}` });
      }
    }
    class Forceful extends MemoryLockStore {
      override async release(hold: LockHold, next?: LockClaim) {
        for (const key of hold.keys) await this.force(hold.kind, key);
        return super.release(hold, next);
      }
    }
    class OneByOne extends MemoryLockStore {
      override async acquire(claim: LockClaim) {
        const outcomes = [];
        for (const key of claim.keys) outcomes.push(await super.acquire({ ...claim, keys: [key] }));
        return outcomes.find(({ state }) => state !== 'granted') ?? outcomes.at(-1)!;
      }
    }
    class Rounding extends MemoryLockStore {
      override async acquire(claim: LockClaim) {
        const outcome = await super.acquire(claim);
        return outcome.state === 'granted' ? { ...outcome, token: BigInt(Number(outcome.token)) } : outcome;
      }
    }
    class Repeating extends MemoryLockStore {
      override async acquire(claim: LockClaim) {
        const outcome = await super.acquire(claim);
        return outcome.state === 'granted' ? { ...outcome, token: 2n ** 62n } : outcome;
      }
    }
    class Trusting extends MemoryLockStore {
      override async extend(holds: readonly LockHold[]) {
        return holds.map(() => 'extended' as const);
      }
    }
    class Silent extends MemoryLockStore {
      override onTurn() {
        return () => undefined;
      }
    }
    class Forgetful extends MemoryLockStore {
      override async release(hold: LockHold) {
        return super.release(hold);
      }
    }
    class Sticky extends MemoryLockStore {
      override async withdraw() {}
    }
    class Unheeding extends MemoryLockStore {
      override raise() {}
    }

    it.each([
      ['answers a retry with another grant', NoRetry, '1: asked again by its holder'],
      ['releases whoever holds it', Forceful, '2: who comes back after his time'],
      ['takes keys one by one', OneByOne, '33: several keys are granted together'],
      ['rounds tokens', Rounding, '39: tokens are exact beyond 2^53'],
      ['gives a token twice', Repeating, 'tokens rise, however'],
      ['extends what ran out', Trusting, 'what ran out is not extended'],
      ['wakes nobody', Silent, '25: who comes first is served first'],
      ['forgets the next', Forgetful, 'a release asks for the next claim of its process in'],
      ['cannot take a claim back', Sticky, 'a claim that is taken back holds nothing'],
      ['hears of no greater token', Unheeding, 'tokens rise, however'],
      ['extends what ran out', Trusting, 'any schedule of mutexes'],
      ['cannot take a claim back', Sticky, 'any schedule of waiting mutexes'],
    ])('finds one that %s', async (_what, Broken, promise) => {
      const open = (store: LockStore, pass: (ms: number) => void): OpenedLockStore => {
        return { store, instance: 'here', pass, close: () => undefined };
      };
      const kept: boolean[] = [];
      for (const Store of [MemoryLockStore, Broken]) {
        let ms = 0;
        const clock = { monotonic: () => ms, wall: () => 1_800_000_000_000 + ms };
        const opened = open(new Store({ clock, waiterTtlMs: WAITER_TTL_MS }), (by) => void (ms += by));
        kept.push(await keeps(opened, promise));
      }
      expect(kept).toEqual([true, false]);
    });
  });

  describe('against scripts', () => {
    let server: RedisServer;
    let redis: Connected;

    beforeAll(async () => {
      server = await RedisServer.start();
      redis = await connect({ url: server.url, backend: 'redis', commandTimeoutMs: 10_000 });
    });
    afterAll(async () => {
      await redis?.close();
      await server?.stop();
    });

    it.each([
      ['what ran out', 'prune(holders, ends)\n', '\n', 'a reader’s time runs out'],
      ['the head', '(not head or head == holder) and used', 'used', '29: who asks for little'],
      ['the room', 'and used + weight <= tonumber(limit)', '', '35: never more than its permits'],
      ['what is given back', `'used', -weightIn(value)`, `'used', 0`, '35: never more than its permits'],
      ['the next in a row', 'wakeIfRoom(turns, holders, queue, alive) --', '--', '34: readers in a row'],
      ['the limit of others', 'used > 0 and inUse ~=', 'false and inUse ~=', '35: another number of permits'],
      ['to leave at a mismatch', 'if leave(queue, alive, holder) then', 'if false then', '35: who waits with another'],
      ['the token of a renewal', 'and tokenIn(value) == token then', 'then', '39: extended with exactly its token'],
      ['the last of the ends', `call('ZRANGE', ends, -1, -1`, `call('ZRANGE', ends, 0, 0`, '35: the permits of one'],
      ['to leave the queue', 'leave(KEYS[5], KEYS[6], ARGV[2])', 'false', '34: a writer’s wait that ends'],
      [
        'who holds it already',
        'if value and not (quarantine',
        'if false and not (quarantine',
        '39: extended with exactly its token',
      ],
      ['who is dead', 'tonumber(till) > now then', 'true then', '34: a writer without a sign of life'],
      ['who is dead', 'tonumber(till) > now then', 'true then', '25: who gives no sign of life'],
      ['the order', `call('HINCRBY', KEYS[1], 'seq', 1)`, `call('HINCRBY', KEYS[1], 'seq', -1)`, '25: who comes first'],
      ['whom to wake', `'PUBLISH', turns`, `'PUBLISH', 'x' .. turns`, 'a claim that is taken back leaves the queue'],
    ])('finds one that forgets %s (%#)', async (_what, from, to, promise) => {
      let found = 0;
      const mutate = (lua: string) => {
        if (lua.includes(from)) found++;
        return lua.replaceAll(from, to);
      };
      expect([
        await keeps(
          opened((lua) => lua),
          promise,
        ),
        await keeps(opened(mutate), promise),
      ]).toEqual([true, false]);
      expect(found).toBeGreaterThan(0);
    });

    function opened(mutate: (lua: string) => string): OpenedLockStore {
      const commands = new MutatedCommands(redis.commands, mutate);
      const instance = Math.random().toString(36).slice(2);
      const rest = { instance, owner: 'host:1', waiterTtlMs: WAITER_TTL_MS, quarantineMs: 0 };
      const store = new RedisLockStore({ commands, again: commands, pubsub: redis.pubsub, ...rest });
      return { store, instance, pass: (ms) => passInRedis(redis.commands, ms), close: () => undefined };
    }
  });
});
