import { PGlite } from '@electric-sql/pglite';
import { Metrics } from '@roost/redis';
import { connect, type Connected } from '@roost/redis/testing';
import { RedisServer } from '@roost/testing';
import { LockConfig } from '../lock.config.js';
import { StaleFenceError } from '../lock.errors.js';
import { LockMetrics } from '../lock.metrics.js';
import { LockRoom } from '../lock.room.js';
import type { LockClaim } from '../stores/lock.store.js';
import { LockStores } from '../stores/lock.stores.js';
import { MemoryLockStore } from '../stores/memory-lock.store.js';
import { RedisLockStore } from '../stores/redis-lock.store.js';
import { fencedTransaction } from './fenced-transaction.js';
import { PostgresLockStore } from './postgres-lock.store.js';

jest.setTimeout(60_000); // PGlite is compiled anew in each test file

describe('tokens of the database that stands in for Redis', () => {
  let database: PGlite;
  let guard: PostgresLockStore;
  let server: RedisServer;
  let connected: Connected;
  beforeAll(async () => {
    database = await PGlite.create();
    guard = new PostgresLockStore({ database, space: 'test', owner: 'b:1', queryTimeoutMs: 5_000 });
    server = await RedisServer.start();
    connected = await connect({ url: server.url });
  });
  afterAll(async () => {
    await connected.close();
    await server.stop();
    await database.close();
  });

  const claimOf = (key: string, holder: string): LockClaim => {
    return { kind: 'mutex', keys: [key], ttlMs: 30_000, weight: 1, limit: 1, wait: false, holder };
  };

  it('fence out who got its lock of a Redis that began its epoch in this second', async () => {
    await guard.acquire(claimOf('schema', 'b.0'));
    const { connection, pubsub } = connected;
    const parts = { pubsub, instance: 'a', owner: 'a:1', waiterTtlMs: 5_000, quarantineMs: 60_000 };
    const redis = new RedisLockStore({ ...connection.dedicated('locks'), ...parts });
    await connection.backend.commands.read('GET', 'warm');
    while (Date.now() % 1_000 < 100 || Date.now() % 1_000 > 700) await new Promise((resume) => setTimeout(resume, 10));
    await redis.adopt();
    const early = await redis.acquire(claimOf('k', 'a.1'));
    const late = await guard.acquire(claimOf('k', 'b.1'));
    if (early.state !== 'granted' || late.state !== 'granted') throw new Error('Expected two grants');

    const written: string[] = [];
    const write = (holder: string, token: bigint) => {
      const fence = { resource: 'test:k', token, holder };
      return fencedTransaction(
        database,
        [fence],
        () => undefined,
        async () => written.push(holder),
      );
    };
    await write('b.1', late.token);
    await guard.withdraw(claimOf('k', 'b.1'));
    await expect(write('a.1', early.token)).rejects.toThrow(StaleFenceError);
    expect(written).toEqual(['b.1']);
  });

  it('do not run ahead of the clock while both decide in turn, so that nobody who knows less begins too low', async () => {
    const { connection, pubsub } = connected;
    const process = (instance: string) => {
      const parts = { pubsub, instance, owner: `${instance}:1`, waiterTtlMs: 5_000, quarantineMs: 0 };
      return new RedisLockStore({ ...connection.dedicated('locks'), ...parts });
    };
    const [redis, unknowing] = [process('d'), process('e')];
    const stores = new LockStores(redis, guard);
    let greatest = 0n;
    for (let turn = 0; turn < 20; turn++) {
      for (const store of [redis, guard]) {
        const claim = claimOf('turns', `d.${turn}`);
        const outcome = await store.acquire(claim);
        if (outcome.state !== 'granted') throw new Error('Expected a grant');
        expect(outcome.token).toBeGreaterThan(greatest);
        greatest = outcome.token;
        stores.granted(store, greatest);
        await store.withdraw(claim);
      }
    }
    await server.command('FLUSHALL');
    const after = await unknowing.acquire(claimOf('turns', 'e.1'));
    expect(after.state === 'granted' && after.token > greatest).toBe(true);
  });

  it('are greater than all that this process has got, also when the clock of the other store is ahead', async () => {
    const wall = () => Date.now() + 3_600_000;
    const ahead = new MemoryLockStore({ clock: { monotonic: () => performance.now(), wall } });
    const standing = {
      lostBy: undefined as string | undefined,
      assurance: 'lease' as const,
      settle: async () => {},
      close: () => {},
    };
    const room = new LockRoom({
      config: new LockConfig({}),
      stores: new LockStores(ahead, guard, standing),
      metrics: new LockMetrics(new Metrics()),
      logger: { warn: () => undefined, error: () => undefined },
      instance: 'c',
      space: 'test',
    });
    const before = await room.service.acquire('before');
    standing.lostBy = 'unreachable';
    const after = await room.service.acquire('after');
    expect(after).toMatchObject({ backend: 'postgres' });
    expect(after.token).toBeGreaterThan(before.token);
    await after.release();
    await before.release();
  });
});
