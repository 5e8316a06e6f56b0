import { Metrics } from '@roost/redis';
import { eventually, FaultProxy, PostgresServer, RedisServer } from '@roost/testing';
import { Pool } from 'pg';
import { connect, type Connected } from '@roost/redis/testing';
import { PostgresLockStore } from './fencing/postgres-lock.store.js';
import { LockConfig } from './lock.config.js';
import {
  LockBusyError,
  LockLostError,
  LockQuarantineError,
  LockTooSlowError,
  LockUnavailableError,
  StaleFenceError,
} from './lock.errors.js';
import { LockMetrics } from './lock.metrics.js';
import type { LockOptions } from './lock.options.js';
import { LockRoom } from './lock.room.js';
import { LockSpace } from './lock.space.js';
import { LockStores } from './stores/lock.stores.js';
import { RedisLockStore } from './stores/redis-lock.store.js';

/** What a process of its own would have: locks on Redis, over a link that can be broken. */
interface Process {
  readonly room: LockRoom;
  readonly locks: LockRoom['service'];
  readonly store: RedisLockStore;
  readonly bugs: unknown[];
  readonly connected: Connected;
}

const tick = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

describe('locks when Redis fails', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  const processes: Process[] = [];
  beforeEach(async () => {
    server = await RedisServer.start();
    proxy = await FaultProxy.start({ target: server });
  });
  afterEach(async () => {
    if (server.running) server.thaw();
    await proxy.pass();
    for (const { room, connected, bugs } of processes.splice(0)) {
      await room.drain();
      await connected.close();
      expect(bugs).toEqual([]);
    }
    await proxy.stop();
    await server.stop();
  });

  async function start(options: LockOptions = {}, commandTimeoutMs = 250, port = proxy.port): Promise<Process> {
    const name = `test-${server.port}`; // the database knows a space that was used before
    const config = new LockConfig({ shutdownGrace: 10, ...options });
    const connected = await connect({ url: `redis://127.0.0.1:${port}`, commandTimeoutMs });
    const { connection, backend, pubsub } = connected;
    const instance = Math.random().toString(36).slice(2);
    const { waiterTtlMs, quarantineMs } = config;
    const dedicated = connection.dedicated('locks');
    const store = new RedisLockStore({ ...dedicated, pubsub, instance, owner: 'test:1', waiterTtlMs, quarantineMs });
    const bugs: unknown[] = [];
    const logger = { warn: () => undefined, error: (bug: unknown) => void bugs.push(bug) };
    const space = new LockSpace({ config, backend, store, commands: dedicated.commands, name, logger });
    await space.settle();
    const guard = config.guard && new PostgresLockStore({ database: config.guard, space: name, owner: 'test:1' });
    const stores = new LockStores(store, guard, space);
    const metrics = new LockMetrics(new Metrics());
    const room = new LockRoom({ config, stores, metrics, logger, instance, space: name });
    const process: Process = { room, locks: room.service, store, bugs, connected };
    processes.push(process);
    return process;
  }

  it('4: a Redis that falls silent aborts the lock 938 ms after it was asked for', async () => {
    const { locks } = await start();
    const askedAt = performance.now();
    const section = locks.using('a', { ttl: 1_000 }, async ({ signal }) => {
      server.freeze();
      await new Promise((resume) => signal.addEventListener('abort', resume));
      return performance.now() - askedAt;
    });
    await expect(section).rejects.toThrow(LockLostError);
    const tookMs = performance.now() - askedAt;
    expect(tookMs).toBeGreaterThan(930);
    expect(tookMs).toBeLessThan(1_300); // the machine is shared; the rule itself is tested on a fake clock
  });

  it('6: a grant that comes too late is given back', async () => {
    const { locks } = await start({}, 3_000);
    await locks.using('warm', {}, async () => undefined);
    await proxy.delay(300);
    await expect(locks.acquire('a', { ttl: 400, wait: 0 })).rejects.toThrow(LockTooSlowError);
    await proxy.pass();
    await eventually(async () => expect(await server.keys('*mutex*')).toEqual([]), { within: 2_000 });
  });

  it('7: what a frozen Redis grants after its caller gave up is taken back', async () => {
    const { locks } = await start();
    await locks.using('warm', {}, async () => undefined);
    server.freeze();
    await expect(locks.acquire('a', { ttl: '30s', wait: 0 })).rejects.toThrow(LockUnavailableError);
    server.thaw();
    await eventually(async () => expect(await server.keys('*mutex*')).toEqual([]), { within: 5_000 });
    await eventually(async () => (await locks.tryAcquire('a'))!.release(), { within: 5_000 });
  });

  it('1: a claim whose answer was lost is granted once', async () => {
    const { locks, store } = await start();
    await locks.using('warm', {}, async () => undefined);
    const before = (await store.acquire(claim('before'))).state;
    expect(before).toBe('granted');
    await proxy.dropReplies({ thenReset: true, once: true });
    const lock = await locks.acquire('a', { wait: '3s' });
    const { holders } = await store.inspect('mutex', 'a');
    expect(holders).toHaveLength(1);
    expect(holders[0]!.token).toBe(lock.token);
    await lock.release();
    await eventually(async () => expect(await server.keys('*mutex:a')).toEqual([]), { within: 3_000 });
  });

  it('13: after a restart without data holders reclaim, and nobody else is let in', async () => {
    const a = await start({ maxTtl: '2s', ttl: '900ms' });
    const b = await start({ maxTtl: '2s', ttl: '900ms' });
    const lock = await a.locks.acquire('a', { ttl: '2s' });
    await server.kill();
    await server.restart();
    let refused: unknown;
    await eventually(
      async () => {
        refused = await b.locks.acquire('a', { wait: 0 }).catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(LockQuarantineError);
      },
      { within: 4_000 },
    );
    expect((refused as LockQuarantineError).retryAfterMs).toBeLessThanOrEqual(2_020);
    await eventually(async () => expect(await b.locks.tryAcquire('a').catch(() => 'quarantine')).toBeNull(), {
      within: 5_000,
    });
    expect(lock.held).toBe(true);
    await lock.release();
    const next = await b.locks.acquire('a', { wait: '3s' });
    expect(next.token).toBeGreaterThan(lock.token);
  }, 20_000);

  it('15: after a flush holders reclaim; a single key that was deleted is lost at the next renewal', async () => {
    const { locks } = await start({ maxTtl: '3s' });
    const lock = await locks.acquire('a', { ttl: '1500ms' });
    await server.command('FLUSHALL');
    await tick(1_200);
    expect(lock.held).toBe(true);
    await expect(locks.acquire('b', { wait: 0 })).rejects.toThrow(LockQuarantineError);
    await eventually(async () => (await locks.acquire('b', { wait: 0 })).release(), { within: 6_000, every: 100 });
    await server.command('DEL', ...(await server.keys('*mutex:a')));
    await eventually(() => expect(lock.held).toBe(false), { within: 2_000 });
    expect(lock.signal.reason).toMatchObject({ reason: 'LOST' });
  }, 20_000);

  it('20: a Redis that is full is unavailable, and never busy', async () => {
    const { locks } = await start();
    await server.command('CONFIG', 'SET', 'maxmemory', '1');
    const refused = await locks.acquire('a', { wait: 0 }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(LockUnavailableError);
    expect(refused).not.toBeInstanceOf(LockBusyError);
    expect(String((refused as Error).cause)).toMatch(/OOM/);
  });

  it('26: a wake-up that is lost costs a third of the waiter’s time to live', async () => {
    const a = await start();
    const b = await start();
    const lock = await a.locks.acquire('a', { ttl: '30s' });
    const waiting = b.locks.acquire('a', { wait: '10s' });
    await tick(100);
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await lock.release();
    const releasedAt = performance.now();
    await (await waiting).release();
    expect(performance.now() - releasedAt).toBeLessThan(1_900);
  });

  it('27: a thousand who wait in one process have one place in the queue and one subscription', async () => {
    const a = await start();
    const b = await start();
    const lock = await a.locks.acquire('a', { ttl: '30s' });
    const order: number[] = [];
    const all = Array.from({ length: 1_000 }, (_, index) =>
      b.locks.using('a', { wait: '30s' }, async () => void order.push(index)),
    );
    await tick(200);
    expect((await a.store.inspect('mutex', 'a')).waiting).toBe(1);
    expect(String(await server.command('PUBSUB', 'CHANNELS', '*turn*')).split(',')).toHaveLength(1);
    const before = (await server.commandStats()).evalsha!.calls;
    await lock.release();
    await Promise.all(all);
    const calls = (await server.commandStats()).evalsha!.calls - before;
    expect(order).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
    expect(calls).toBeLessThan(1_010); // one for each section
  });

  it('25: processes are served in the order in which they came', async () => {
    const holder = await start();
    const others = await Promise.all(Array.from({ length: 6 }, () => start()));
    const lock = await holder.locks.acquire('a', { ttl: '30s' });
    const order: number[] = [];
    const served: Promise<void>[] = [];
    for (const [index, { locks }] of others.entries()) {
      served.push(locks.using('a', { wait: '10s' }, async () => void order.push(index)));
      await tick(20);
    }
    await lock.release();
    await Promise.all(served);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
  });

  describe('with a guard', () => {
    let postgres: PostgresServer;
    const pools: Pool[] = [];
    beforeAll(async () => {
      postgres = await PostgresServer.start();
      await pool().query('CREATE TABLE counter (value int)');
      await pools[0]!.query('INSERT INTO counter VALUES (0)');
    }, 60_000);
    afterAll(async () => {
      await Promise.all(pools.map((each) => each.end()));
      await postgres.stop();
    });

    function pool(): Pool {
      const made = new Pool({ connectionString: postgres.url, max: 4 });
      pools.push(made);
      return made;
    }

    it('53: goes on without Redis and back, exclusive in what is written, with tokens that only rise', async () => {
      const guards = [pool(), pool()];
      const both = await Promise.all(guards.map((guard) => start({ guard, maxTtl: '2s' })));
      const tokens: bigint[] = [];
      let stale = 0;
      let written = Number((await guards[0]!.query('SELECT value FROM counter')).rows[0].value);
      const add = async (of: number) => {
        const once = () =>
          both[of]!.locks.using('counter', { ttl: '2s', wait: '5s' }, (lock) =>
            lock.transaction(guards[of]!, async (client) => {
              const { rows } = await client.query('SELECT value FROM counter');
              await client.query('UPDATE counter SET value = $1', [Number(rows[0].value) + 1]);
              tokens.push(lock.token);
              return lock.backend;
            }),
          );
        const backend = await once().catch((error: unknown) => {
          if (!(error instanceof StaleFenceError)) throw error;
          stale++;
          return once();
        });
        written++;
        return backend;
      };
      const several = async () => new Set(await Promise.all(Array.from({ length: 10 }, (_, index) => add(index % 2))));
      expect(await several()).toEqual(new Set(['redis']));
      await server.kill();
      expect(await several()).toEqual(new Set(['postgres']));
      await server.restart();
      await eventually(async () => expect([...(await several())]).toEqual(['redis']), { within: 10_000, every: 200 });
      expect(stale).toBeLessThanOrEqual(2); // one for each process
      expect(Number((await guards[0]!.query('SELECT value FROM counter')).rows[0].value)).toBe(written);
      expect(tokens).toEqual(tokens.toSorted((a, b) => (a < b ? -1 : 1)));
    }, 30_000);

    it('goes to Postgres in a quarantine instead of refusing', async () => {
      const { locks } = await start({ guard: pool(), maxTtl: '30s' });
      const before = await locks.acquire('a');
      expect(before).toMatchObject({ backend: 'redis', assurance: 'lease+quarantine' });
      await server.command('FLUSHALL');
      const during = await locks.acquire('b', { wait: 0 });
      expect(during).toMatchObject({ backend: 'postgres', assurance: 'fenced' });
      expect(during.token).toBeGreaterThan(before.token);
      await during.release();
      await before.release();
    });

    it('goes to Postgres within the deadline of a command when Redis is frozen, and keeps who waits', async () => {
      const { locks } = await start({ guard: pool() });
      await locks.using('warm', {}, async () => undefined);
      server.freeze();
      const askedAt = performance.now();
      const lock = await locks.acquire('a', { ttl: '30s' });
      expect(performance.now() - askedAt).toBeLessThan(1_000);
      const waiting = locks.acquire('a', { wait: '5s' });
      await tick(100);
      await lock.release();
      await (await waiting).release();
    });

    it('says that nobody can decide when both are gone', async () => {
      const { locks } = await start({ guard: pool() });
      postgres.freeze();
      await server.kill();
      const askedAt = performance.now();
      await expect(locks.acquire('a', { wait: '5s' })).rejects.toThrow(LockUnavailableError);
      expect(performance.now() - askedAt).toBeLessThan(4_000);
      postgres.thaw();
    }, 15_000);
  });

  it('fails at once when Redis is known to be gone', async () => {
    const { locks, connected } = await start();
    await server.kill();
    await eventually(() => expect(connected.backend.current).toBe('memory'), { within: 5_000 });
    const startedAt = performance.now();
    await expect(locks.acquire('a', { wait: '5s' })).rejects.toThrow(LockUnavailableError);
    expect(performance.now() - startedAt).toBeLessThan(100);
  });
});

function claim(key: string) {
  const rest = { kind: 'mutex', ttlMs: 10_000, weight: 1, limit: 1, wait: false } as const;
  return { ...rest, keys: [key], holder: `other.${key}` };
}
