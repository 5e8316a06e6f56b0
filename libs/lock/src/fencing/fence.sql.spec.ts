import { PostgresServer } from '@roost/testing';
import { Pool } from 'pg';
import { StaleFenceError } from '../lock.errors.js';
import type { LockClaim, LockHold } from '../stores/lock.store.js';
import { ensureFenceSchema } from './fence-schema.js';
import { fenceSchemaSql, fenceStatements } from './fence.sql.js';
import { fencedTransaction } from './fenced-transaction.js';
import { PostgresLockStore } from './postgres-lock.store.js';
import { sqlErrorIn } from './sql-error.js';

const held = () => {};
const tokenOf = (epoch: number, seq: number) => (BigInt(epoch) << 33n) | BigInt(seq);

let server: PostgresServer;
let pool: Pool;
const pools: Pool[] = [];

/** Each schema is a database of its own as far as fences are concerned. */
async function openSchema(name: string, statements: readonly string[] = fenceStatements, max = 10): Promise<Pool> {
  const opened = new Pool({ connectionString: server.url, options: `-c search_path=${name}`, max });
  pools.push(opened);
  await opened.query(`CREATE SCHEMA IF NOT EXISTS ${name}`);
  for (const statement of statements) await opened.query(statement);
  await opened.query('CREATE TABLE IF NOT EXISTS counter (n int NOT NULL)');
  await opened.query('INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT FROM counter)');
  return opened;
}

beforeAll(async () => {
  server = await PostgresServer.start();
  pool = await openSchema('fences');
});

afterAll(async () => {
  await Promise.all(pools.map((each) => each.end()));
  await server?.stop();
});

describe('roost_fence', () => {
  const fence = (resource: string, token: bigint, holder = `h.${token}`) => [{ resource, token, holder }];
  const enter = (resource: string, token: bigint, holder?: string) =>
    fencedTransaction(pool, fence(resource, token, holder), held, async () => {});
  const codeOf = (run: Promise<unknown>) =>
    run.then(
      () => undefined,
      (error: unknown) => sqlErrorIn(error)?.code,
    );

  it('36: refuses an older token with SQLSTATE LK001, and says the newest', async () => {
    for (const token of [5, 5, 7]) await pool.query(`SELECT roost_fence('raw', ${token}, 'a')`);
    const refused = await pool.query(`SELECT roost_fence('raw', 6, 'a')`).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'LK001', detail: '7 raw' });
    const { rows } = await pool.query(`SELECT token FROM roost_fence WHERE resource = 'raw'`);
    expect(rows).toEqual([{ token: '7' }]);
  });

  it('37: a later holder waits for the transaction of an earlier one, which is refused from then on', async () => {
    const events: string[] = [];
    let entered: Promise<unknown> | undefined;
    await fencedTransaction(pool, fence('row', 5n), held, async (tx) => {
      entered = fencedTransaction(pool, fence('row', 7n), held, async () => events.push('later'));
      const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%roost_fences%'`;
      while ((await pool.query(waiting)).rowCount === 0);
      await tx.query('SELECT 1');
      events.push('earlier');
    });
    await entered;
    expect(events).toEqual(['earlier', 'later']);
    await expect(enter('row', 5n)).rejects.toBeInstanceOf(StaleFenceError);
  });

  it('37: a later holder goes on when the earlier transaction rolled back', async () => {
    let entered: Promise<unknown> | undefined;
    const failed = fencedTransaction(pool, fence('rolled-back', 9n), held, async () => {
      entered = enter('rolled-back', 7n);
      throw new Error('changed my mind');
    });
    await expect(failed).rejects.toThrow('changed my mind');
    await entered;
  });

  it('38: no loss of a counter makes a later token smaller, also two in one second', async () => {
    const tokens = [tokenOf(100, 1), tokenOf(100, 900), tokenOf(101, 1), tokenOf(102, 1), tokenOf(102, 2)];
    for (const token of tokens) await enter('lost', token);
    for (const token of tokens.slice(0, -1)) expect(await codeOf(enter('lost', token))).toBe('LK001');
  });

  it('tells a reader in REPEATABLE READ to try again after it has waited', async () => {
    const repeatable = await openSchema('fences');
    await repeatable.query(`ALTER ROLE postgres SET default_transaction_isolation = 'repeatable read'`);
    const own = await openSchema('fences', []);
    let entered: Promise<string | undefined> | undefined;
    await fencedTransaction(pool, fence('snapshot', 5n), held, async () => {
      entered = codeOf(fencedTransaction(own, fence('snapshot', 7n), held, async () => {}));
      const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%roost_fences%'`;
      while ((await pool.query(waiting)).rowCount === 0);
    });
    expect(await entered).toBe('40001');
    await fencedTransaction(own, fence('snapshot', 7n), held, async () => {});
    await pool.query('ALTER ROLE postgres RESET default_transaction_isolation');
  });

  it('never lets two that fence the same keys wait for each other', async () => {
    const keys = ['k1', 'k2', 'k3', 'k4'];
    const runs = Array.from({ length: 40 }, (_, i) => {
      const order = i % 2 === 0 ? keys : keys.toReversed();
      return fencedTransaction(
        pool,
        order.map((key) => fence(key, 5n, 'same')[0]!),
        held,
        async (tx) => {
          await tx.query('UPDATE counter SET n = n + 1');
        },
      );
    });
    await Promise.all(runs);
    expect((await pool.query('SELECT n FROM counter')).rows).toEqual([{ n: 40 }]);
  });
});

describe('guard mode', () => {
  const kind = { kind: 'mutex', keys: ['counter'], ttlMs: 10_000, weight: 1, limit: 1, wait: true } as const;

  async function incremented(tx: { query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }> }) {
    const { rows } = await tx.query('SELECT n FROM counter');
    await tx.query('UPDATE counter SET n = $1', [(rows[0] as { n: number }).n + 1]);
  }

  /** Increments one after the other, each in a transaction of its own lock: as a process with a line of its waiters. */
  async function processOf(name: string, database: Pool, times: number): Promise<void> {
    const store = new PostgresLockStore({ database, space: 's', owner: 'h:1', queryTimeoutMs: 15_000 });
    const claims = Array.from({ length: times }, (_, i): LockClaim => ({ ...kind, holder: `${name}.${i}` }));
    let outcome = await store.acquire(claims[0]!);
    for (const [i, claim] of claims.entries()) {
      while (outcome.state !== 'granted') {
        await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 20));
        outcome = await store.acquire(claim);
      }
      const hold: LockHold = { ...claim, token: outcome.token };
      const fence = [{ resource: 's:counter', token: hold.token, holder: hold.holder }];
      await fencedTransaction(database, fence, held, incremented);
      const { next } = await store.release(hold, claims[i + 1]);
      outcome = next!;
    }
  }

  it.each([1, 2])('53: 200 increments of 4 processes without Redis, from pools: %i, make 200', async (count) => {
    const name = `guard${count}`;
    const opened: Pool[] = [];
    for (let i = 0; i < count; i++) opened.push(await openSchema(name, i === 0 ? fenceStatements : []));
    await Promise.all(Array.from({ length: 4 }, (_, i) => processOf(`p${i}`, opened[i % count]!, 50)));
    expect((await opened[0]!.query('SELECT n FROM counter')).rows).toEqual([{ n: 200 }]);
    expect((await opened[0]!.query('SELECT FROM roost_lease')).rowCount).toBe(0);
  });

  it('53: of 200 who write at once, each with a token of its own, each counts once or was refused', async () => {
    const opened = [await openSchema('unguarded'), await openSchema('unguarded', [])];
    const runs = Array.from({ length: 200 }, (_, i) => {
      const fence = [{ resource: 's:counter', token: tokenOf(1, i), holder: `h.${i}` }];
      return fencedTransaction(opened[i % 2]!, fence, held, incremented);
    });
    const outcomes = await Promise.allSettled(runs);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.every(({ reason }) => reason instanceof StaleFenceError)).toBe(true);
    const written = outcomes.length - refused.length;
    expect((await opened[0]!.query('SELECT n FROM counter')).rows).toEqual([{ n: written }]);
    expect(written).toBeGreaterThan(0);
  });
});

describe('the schema', () => {
  it('is created once by many processes at once, and may be run by hand as often as one likes', async () => {
    await pool.query('CREATE SCHEMA boot');
    const booting = Array.from({ length: 8 }, () => {
      const opened = new Pool({ connectionString: server.url, options: '-c search_path=boot', max: 1 });
      pools.push(opened);
      return opened;
    });
    await Promise.all(booting.map((each) => ensureFenceSchema(each)));
    await Promise.all(booting.slice(0, 2).map((each) => ensureFenceSchema(each)));
    await booting[0]!.query(fenceSchemaSql);
    await booting[0]!.query(`SELECT roost_fence('boot', 1, 'a')`);
  });

  it('needs no right to create anything where it is there, and leaves a newer one alone', async () => {
    const owner = await openSchema('granted');
    await owner.query('CREATE ROLE plain LOGIN');
    await owner.query('GRANT USAGE ON SCHEMA granted TO plain');
    const { port } = server;
    const connectionString = `postgres://plain@127.0.0.1:${port}/postgres`;
    const plain = new Pool({ connectionString, options: '-c search_path=granted', max: 1 });
    pools.push(plain);
    await ensureFenceSchema(plain);
    await owner.query(`CREATE OR REPLACE FUNCTION roost_fence_version() RETURNS int LANGUAGE sql AS 'SELECT 999'`);
    await ensureFenceSchema(owner);
    expect((await owner.query('SELECT roost_fence_version() AS v')).rows).toEqual([{ v: 999 }]);
  });

  it('is created by the first fenced transaction where nobody could create it at boot', async () => {
    const opened = await openSchema('late', []);
    await fencedTransaction(opened, [{ resource: 'late', token: 5n, holder: 'a' }], held, async () => {});
    expect((await opened.query('SELECT token FROM roost_fence')).rows).toEqual([{ token: '5' }]);
  });
});

/**
 * The suite's teeth: what a broken fence does in the same small scenario. A holder writes twice, is paused, and comes
 * back after Redis lost its memory and another holder wrote; then two read, and write what they read plus one.
 */
describe('a fence that is broken on purpose is found out', () => {
  const sql = (from: string, to: string) => () => {
    const changed = fenceStatements.map((statement) => statement.replace(from, to));
    expect(changed).not.toEqual(fenceStatements);
    return { statements: changed };
  };

  interface Broken {
    readonly statements?: readonly string[];
    readonly withoutEpoch?: boolean;
    readonly fenceLate?: boolean;
  }

  async function violations(name: string, { statements, withoutEpoch, fenceLate }: Broken): Promise<string[]> {
    const database = await openSchema(name, statements);
    const found: string[] = [];
    const log: bigint[] = [];
    let commits = 0;
    const fenced = async (epoch: number, seq: number, holder: string, beforeWrite = async () => {}) => {
      const token = withoutEpoch ? BigInt(seq) : tokenOf(epoch, seq);
      const client = await database.connect();
      const fence = () => client.query('SELECT roost_fence($1, $2, $3)', ['counter', `${token}`, holder]);
      try {
        await client.query('BEGIN');
        if (!fenceLate) await fence();
        const { rows } = await client.query<{ n: number }>('SELECT n FROM counter');
        await beforeWrite();
        if (fenceLate) await fence();
        await client.query('UPDATE counter SET n = $1', [rows[0]!.n + 1]);
        await client.query('COMMIT');
        commits += 1;
        log.push(token);
        return true;
      } catch (error) {
        await client.query('ROLLBACK');
        if (sqlErrorIn(error)?.code !== 'LK001') throw error;
        return false;
      } finally {
        client.release();
      }
    };
    if (!(await fenced(100, 900, 'a'))) found.push('the holder was refused');
    if (!(await fenced(100, 900, 'a'))) found.push('the holder was refused the second time');
    if (!(await fenced(101, 1, 'b'))) found.push('the holder after a loss of memory was refused');
    if (await fenced(100, 900, 'a')) found.push('a stale holder wrote');
    let second: Promise<boolean> | undefined;
    const first: Promise<boolean> = fenced(101, 1_000, 'c', async () => {
      const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%roost_fence(%'`;
      let read = false;
      second ??= fenced(101, 1_001, 'd', async () => {
        read = true;
        await first;
      });
      // Until the later one has read as well, or waits for this one.
      while (!read && (await pool.query(waiting)).rowCount === 0);
    });
    await first;
    await second;
    const { n } = (await database.query<{ n: number }>('SELECT n FROM counter')).rows[0]!;
    if (n !== commits) found.push(`${commits} increments made ${n}`);
    if (log.some((token, i) => i > 0 && token < log[i - 1]!)) found.push('tokens went back');
    return found;
  }

  it('and as it is, nothing is found', async () => {
    expect(await violations('sound', {})).toEqual([]);
  });

  const lastWins = /WHERE f\.token < excluded\.token[^;]*;/.exec(fenceStatements.join('\n'))![0];
  const sameHolder = ' OR f.token = excluded.token AND f.holder = excluded.holder';

  it.each<[string, () => Broken, string[]]>([
    ['m7: `<` instead of `<=`', sql(sameHolder, ''), ['the holder was refused the second time']],
    [
      'm7: without epoch',
      () => ({ withoutEpoch: true }),
      ['the holder after a loss of memory was refused', 'a stale holder wrote'],
    ],
    ['m8: not the first statement', () => ({ fenceLate: true }), ['5 increments made 4']],
    ['no comparison at all', sql(lastWins, ';'), ['a stale holder wrote', 'tokens went back']],
  ])('%s', async (name, broken, expected) => {
    expect(await violations(name.replace(/\W+/g, '_').toLowerCase(), broken())).toEqual(expected);
  });
});
