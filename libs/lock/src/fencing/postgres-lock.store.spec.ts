import { PGlite } from '@electric-sql/pglite';
import { eventually, PostgresServer } from '@roost/testing';
import { drizzle } from 'drizzle-orm/node-postgres';
import { Pool } from 'pg';
import { LockUnavailableError } from '../lock.errors.js';
import type { LockClaim, LockHold } from '../stores/lock.store.js';
import { describeLockStore } from '../testing.js';
import { databaseOf } from './database-of.js';
import { ensureFenceSchema } from './fence-schema.js';
import { fencedTransaction } from './fenced-transaction.js';
import { PostgresLockStore } from './postgres-lock.store.js';
import type { Transactional } from './transactional.js';

jest.setTimeout(60_000); // PGlite is compiled anew in each test file

const space = 'roost';
const owner = 'host:1';
const without = ['queue', 'rw', 'semaphore'] as const;

function opened(database: Transactional, close: () => Promise<unknown>) {
  const store = new PostgresLockStore({ database, space, owner, queryTimeoutMs: 5_000 });
  const pass = async (ms: number) => {
    const earlier = `${ms} * interval '1 ms'`;
    const text = `UPDATE roost_lease SET since = since - ${earlier}, until = until - ${earlier}`;
    await databaseOf(database).query(text, [], 5_000);
  };
  return { store, instance: 'here', pass, close: async () => void (await close()) };
}

const pools: Pool[] = [];

function poolOf(server: PostgresServer, max = 10): Pool {
  const pool = new Pool({ connectionString: server.url, max });
  pool.on('error', () => {});
  pools.push(pool);
  return pool;
}

async function closed(server: PostgresServer) {
  await Promise.all(pools.splice(0).map((pool) => pool.end()));
  await server.stop();
}

const startServer = () => PostgresServer.start();

// The schema is created by the first call, as where the database could not be reached at boot.
describeLockStore(
  'postgres, by a pool',
  async () => {
    const server = await startServer();
    return opened(poolOf(server), () => closed(server));
  },
  { without, runs: 25 },
);

describeLockStore(
  'postgres, by Drizzle',
  async () => {
    const server = await startServer();
    return opened(drizzle(poolOf(server)) as Transactional, () => closed(server));
  },
  { without, runs: 5 },
);

describeLockStore(
  'PGlite',
  async () => {
    const pglite = await PGlite.create();
    return opened(pglite, () => pglite.close());
  },
  { without, runs: 15 },
);

describe('PostgresLockStore', () => {
  let server: PostgresServer;
  let pool: Pool;
  let store: PostgresLockStore;
  let count = 0;

  const claimOf = (key: string, ttlMs = 10_000): LockClaim => {
    const rest = { kind: 'mutex', ttlMs, weight: 1, limit: 1, wait: false } as const;
    return { ...rest, keys: [key], holder: `i.${(count += 1)}` };
  };
  const hold = async (claim: LockClaim): Promise<LockHold> => {
    const outcome = await store.acquire(claim);
    if (outcome.state !== 'granted') throw new Error(outcome.state);
    return { ...claim, token: outcome.token };
  };
  const fenceOf = ({ keys, token, holder }: LockHold) => [{ resource: `${space}:${keys[0]}`, token, holder }];

  beforeAll(async () => {
    server = await startServer();
    pool = poolOf(server);
    store = new PostgresLockStore({ database: pool, space, owner });
    await ensureFenceSchema(pool);
  });

  afterAll(() => closed(server));

  it('45: of two claims of one process for one key the second is busy; nothing is left after the release', async () => {
    const first = claimOf('twice');
    const second = claimOf('twice');
    const [a, b] = await Promise.all([store.acquire(first), store.acquire(second)]);
    expect([a.state, b.state].toSorted()).toEqual(['busy', 'granted']);
    const [winner, loser] = a.state === 'granted' ? [first, second] : [second, first];
    const granted = [a, b].find(({ state }) => state === 'granted') as { token: bigint };
    expect((await store.release({ ...loser, token: granted.token })).outcome).toBe('foreign');
    expect((await store.release({ ...winner, token: granted.token })).outcome).toBe('released');
    expect((await store.release({ ...winner, token: granted.token })).outcome).toBe('absent');
    expect((await pool.query(`SELECT FROM roost_lease WHERE resource = 'roost:twice'`)).rowCount).toBe(0);
  });

  it('46: works where every statement has another session, as behind a transaction pooler', async () => {
    const pids = new Set<number>();
    const perStatement = {
      totalCount: 0,
      connect: async () => {
        const own = poolOf(server, 1);
        const client = await own.connect();
        pids.add((await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid);
        const release = client.release.bind(client);
        return Object.assign(client, {
          release: () => (release(), void own.end(), void pools.splice(pools.indexOf(own), 1)),
        });
      },
    };
    const pooled = new PostgresLockStore({ database: perStatement as never, space, owner });
    const claim = claimOf('pooled');
    const outcome = await pooled.acquire(claim);
    expect(await pooled.acquire(claim)).toEqual(outcome);
    expect((await pooled.acquire(claimOf('pooled'))).state).toBe('busy');
    const held = { ...claim, token: (outcome as { token: bigint }).token };
    expect(await pooled.extend([held])).toEqual(['extended']);
    await fencedTransaction(
      perStatement as never,
      fenceOf(held),
      () => {},
      async () => {},
    );
    expect((await pooled.release(held)).outcome).toBe('released');
    expect(pids.size).toBe(6);
  });

  it('a renewal does not wait for the fenced transaction of its holder', async () => {
    const held = await hold(claimOf('long', 2_000));
    await fencedTransaction(
      pool,
      fenceOf(held),
      () => {},
      async (tx) => {
        expect(await store.extend([{ ...held, ttlMs: 60_000 }])).toEqual(['extended']);
        await tx.query('SELECT 1');
      },
    );
    expect((await store.inspect('mutex', 'long')).holders[0]!.ttlMs).toBeGreaterThan(50_000);
  });

  it('a claim is busy while a fenced transaction is open, even of a holder that has no lease here', async () => {
    const redis = [{ resource: `${space}:open`, token: 5n, holder: 'redis.1' }];
    await fencedTransaction(
      pool,
      redis,
      () => {},
      async () => {
        expect(await store.acquire(claimOf('open'))).toEqual({ state: 'busy', retryInMs: 50 });
      },
    );
    const held = await hold(claimOf('open'));
    expect(held.token).toBeGreaterThan(5n);
    await expect(
      fencedTransaction(
        pool,
        redis,
        () => {},
        async () => {},
      ),
    ).rejects.toMatchObject({ newest: held.token });
  });

  it('a claim is greater than any token that fenced, however far ahead', async () => {
    const far = 1n << 62n;
    await fencedTransaction(
      pool,
      [{ resource: `${space}:far`, token: far, holder: 'redis.1' }],
      () => {},
      async () => {},
    );
    expect((await hold(claimOf('far'))).token).toBe(far + 1n);
  });

  it('says how long the present holder has at most', async () => {
    await hold(claimOf('until', 5_000));
    const outcome = await store.acquire(claimOf('until'));
    expect(outcome.state === 'busy' && outcome.retryInMs > 4_000 && outcome.retryInMs <= 5_000).toBe(true);
  });

  it('hands on within a process, but not past another process that waits', async () => {
    const waiting = (holder: string): LockClaim => ({ ...claimOf('wanted'), holder, wait: true });
    const [first, second, third] = [waiting('mine.1'), waiting('mine.2'), waiting('mine.3')];
    const other = waiting('other.1');
    const held = await hold(first);
    expect((await store.acquire(third)).state).toBe('busy'); // of the same process
    const handed = await store.release(held, second);
    expect(handed).toMatchObject({ outcome: 'released', next: { state: 'granted' } });
    expect((await store.acquire({ ...other, wait: false })).state).toBe('busy'); // does not come again
    const again = await store.release({ ...held, ...second }, third);
    expect(again.next?.state).toBe('granted');
    expect((await store.acquire(other)).state).toBe('busy');
    expect(await store.release({ ...held, ...third }, first)).toEqual({
      outcome: 'released',
      next: { state: 'busy', retryInMs: 0 },
    });
    expect((await store.acquire(other)).state).toBe('granted');
  });

  it.each(['rw', 'semaphore'] as const)('does not decide about a %s', async (kind) => {
    const refused = await store.acquire({ ...claimOf('other'), kind }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(LockUnavailableError);
    expect(refused).toMatchObject({ outcomeUnknown: false });
  });

  it('passes a wrong statement as it is', async () => {
    await pool.query('ALTER FUNCTION roost_release(text[], text) RENAME TO gone');
    await pool.query(
      'CREATE FUNCTION roost_release(text[], text) RETURNS text LANGUAGE sql AS $$ SELECT (1/0)::text $$',
    );
    await expect(store.withdraw(claimOf('wrong'))).rejects.toMatchObject({ code: '22012' });
    await pool.query('DROP FUNCTION roost_release(text[], text)');
    await pool.query('ALTER FUNCTION gone(text[], text) RENAME TO roost_release');
  });

  it('a statement that hangs is given up in time, and its connection with it; thawed, all goes on', async () => {
    const impatient = poolOf(server, 2);
    const quick = new PostgresLockStore({ database: impatient, space, owner, queryTimeoutMs: 200 });
    const claim = claimOf('frozen');
    await quick.withdraw(claim);
    let closed = 0;
    impatient.on('remove', () => (closed += 1));
    server.freeze();
    const started = performance.now();
    // More than the pool has connections: some wait for one.
    const calls = Array.from({ length: 5 }, () => quick.acquire(claim).catch((error: unknown) => error));
    const errors = await Promise.all(calls);
    expect(performance.now() - started).toBeLessThan(1_000);
    await eventually(() => closed === 1, { within: 1_000 });
    for (const error of errors) {
      expect(error).toBeInstanceOf(LockUnavailableError);
      expect(error).toMatchObject({ outcomeUnknown: true });
    }
    server.thaw();
    // What was given up is executed now: a claim of ours that is granted late is still ours to take back.
    const backends = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend'`;
    const left = async () => (await pool.query<{ n: number }>(backends)).rows[0]!.n;
    await eventually(async () => (await left()) <= pool.totalCount + impatient.totalCount, { within: 5_000 });
    expect((await store.acquire(claim)).state).toBe('granted');
    await quick.withdraw(claim);
    expect((await store.inspect('mutex', 'frozen')).holders).toEqual([]);
  });

  it('a statement that found no connection in time is not sent when there is one', async () => {
    const unborn = poolOf(server, 1);
    const quick = new PostgresLockStore({ database: unborn, space, owner, queryTimeoutMs: 50 });
    server.freeze();
    await expect(quick.acquire(claimOf('unborn'))).rejects.toBeInstanceOf(LockUnavailableError);
    server.thaw();
    await eventually(() => unborn.idleCount === 1, { within: 5_000 });
    expect((await store.inspect('mutex', 'unborn')).holders).toEqual([]);
  });

  it.each([
    ['COMMIT', async () => {}],
    ['ROLLBACK', () => Promise.reject(new Error('Query read timeout'))],
  ])('a connection whose %s was given up is closed: nobody knows what it is doing', async (_, end) => {
    const given = new Pool({ connectionString: server.url, max: 1, query_timeout: 100 });
    given.on('error', () => {});
    pools.push(given);
    const cut = fencedTransaction(
      given,
      [{ resource: 'cut', token: 5n, holder: 'a' }],
      () => {},
      () => {
        server.freeze();
        return end();
      },
    );
    await expect(cut).rejects.toThrow('Query read timeout');
    expect(given.idleCount).toBe(0);
    await eventually(() => given.totalCount === 0, { within: 1_000 });
    server.thaw();
    expect((await given.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  });

  it('is unavailable while Postgres is gone, and has all leases when it is back', async () => {
    const claim = claimOf('restart', 60_000);
    const held = await hold(claim);
    let atCommit: Promise<unknown> | undefined;
    const cut = fencedTransaction(
      pool,
      fenceOf(held),
      () => {},
      async (tx) => {
        await server.kill();
        atCommit = tx.query('SELECT 1');
        await atCommit;
      },
    );
    await expect(cut).rejects.toThrow(/connection|ECONNRESET/i);
    await expect(atCommit).rejects.toThrow(/connection|ECONNRESET/i);
    // Until every idle connection is known to be broken, that is all that can be said.
    const refused = () => store.acquire(claimOf('restart')).catch((error: unknown) => error);
    expect(await refused()).toBeInstanceOf(LockUnavailableError);
    await eventually(async () => expect(await refused()).toMatchObject({ outcomeUnknown: false }), { within: 2_000 });
    await server.restart();
    expect((await store.acquire(claimOf('restart'))).state).toBe('busy');
    expect(await store.acquire(claim)).toEqual({ state: 'granted', token: held.token });
    await fencedTransaction(
      pool,
      fenceOf(held),
      () => {},
      async () => {},
    );
  });
});
