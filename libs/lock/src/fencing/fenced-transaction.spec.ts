import { PGlite } from '@electric-sql/pglite';
import { PostgresServer } from '@roost/testing';
import { sql } from 'drizzle-orm';
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres';
import { bigint, pgTable, text } from 'drizzle-orm/pg-core';
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite';
import { Client, Pool } from 'pg';
import { LockLostError, LockBusyError, StaleFenceError } from '../lock.errors.js';
import { databaseOf } from './database-of.js';
import { ensureFenceSchema } from './fence-schema.js';
import { type Fence, fencedTransaction } from './fenced-transaction.js';
import { sqlErrorIn, textArray } from './sql-error.js';
import type { Transactional } from './transactional.js';

interface Opened {
  readonly db: Transactional;
  readonly write: (tx: never, note: string) => Promise<unknown>;
}

const notes = pgTable('notes', { note: text().notNull(), token: bigint({ mode: 'bigint' }) });
const held = () => {};

let server: PostgresServer;
let pool: Pool;
let pglite: PGlite;

beforeAll(async () => {
  server = await PostgresServer.start();
  pool = new Pool({ connectionString: server.url, max: 10 });
  pool.on('error', () => {});
  pglite = new PGlite();
  for (const db of [pool, pglite]) {
    await ensureFenceSchema(db);
    await databaseOf(db).query(
      'CREATE TABLE notes (note text NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED)',
      [],
      9_000,
    );
  }
}, 60_000);

afterAll(async () => {
  await pool?.end();
  await pglite?.close();
  await server?.stop();
});

const raw = (tx: { query(text: string, values: unknown[]): unknown }, note: string) =>
  Promise.resolve(tx.query('INSERT INTO notes VALUES ($1)', [note]));
const orm = (tx: { execute(query: unknown): unknown }, note: string) =>
  Promise.resolve(tx.execute(sql`INSERT INTO notes VALUES (${note})`));

const databases: readonly [string, () => Opened][] = [
  ['a pool of node-postgres', () => ({ db: pool, write: raw as never })],
  ['PGlite', () => ({ db: pglite, write: raw as never })],
  ['Drizzle on a pool', () => ({ db: drizzlePg(pool), write: orm as never })],
  ['Drizzle on PGlite', () => ({ db: drizzlePglite(pglite), write: orm as never })],
];

describe.each(databases)('a fenced transaction on %s', (_name, open) => {
  let db: Transactional;
  let write: Opened['write'];
  let resource: string;
  let count = 0;

  beforeEach(() => {
    ({ db, write } = open());
    resource = `${_name}:${(count += 1)}`;
  });

  const fence = (token: bigint, holder = 'a.1', of = resource): Fence => ({ resource: of, token, holder });
  const row = async (of = resource) =>
    (await databaseOf(db).query('SELECT token::text, holder FROM roost_fence WHERE resource = $1', [of], 9_000))[0];
  const written = async () =>
    (await databaseOf(db).query('SELECT note FROM notes WHERE starts_with(note, $1)', [resource], 9_000)).map(
      ({ note }) => note!.slice(resource.length + 1),
    );
  const enter = (token: bigint, note: string, holder?: string) =>
    fencedTransaction(db, [fence(token, holder)], held, (tx) => write(tx as never, `${resource}:${note}`));

  it('36: lets tokens 5, 5 and 7 in, refuses 6 and says that 7 was here, and leaves 7', async () => {
    await enter(5n, 'first');
    await enter(5n, 'again');
    await enter(7n, 'later');
    const refused = await enter(6n, 'stale').catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StaleFenceError);
    expect(refused).toMatchObject({ resource, token: 6n, newest: 7n });
    expect(await row()).toEqual({ token: '7', holder: 'a.1' });
    expect(await written()).toEqual(['first', 'again', 'later']);
  });

  it('36: refuses the same token of another holder', async () => {
    await enter(5n, 'mine', 'a.1');
    await expect(enter(5n, 'yours', 'b.1')).rejects.toThrow(StaleFenceError);
    expect(await written()).toEqual(['mine']);
  });

  it('39: keeps tokens beyond 2^53 exact', async () => {
    await enter(9_007_199_254_740_993n, 'odd');
    const refused = await enter(9_007_199_254_740_992n, 'even').catch((error: unknown) => error);
    expect(refused).toMatchObject({ token: 9_007_199_254_740_992n, newest: 9_007_199_254_740_993n });
    expect(await row()).toMatchObject({ token: '9007199254740993' });
    await enter((1n << 63n) - 1n, 'last');
    expect(await row()).toMatchObject({ token: '9223372036854775807' });
  });

  it('stores any key as it is', async () => {
    const keys = [
      `';DROP TABLE notes;--`,
      '\\',
      '"',
      `{a,"b"}`,
      '$1',
      '$roost$',
      `\n\u{1F512} ${'ü'.repeat(99)}`,
      'NULL',
    ];
    const fences = keys.map((key) => fence(9n, 'a.1', `${resource}${key}`));
    await fencedTransaction(db, fences, held, async () => {});
    for (const { resource: key } of fences) expect(await row(key)).toEqual({ token: '9', holder: 'a.1' });
    const stale = fencedTransaction(db, [{ ...fences[4]!, token: 8n }], held, async () => {});
    await expect(stale).rejects.toMatchObject({ resource: `${resource}$1`, newest: 9n });
  });

  it('refuses a key with NUL before anything is sent', async () => {
    await expect(fencedTransaction(db, [fence(1n, 'a.1', 'a\0b')], held, async () => {})).rejects.toThrow(
      'Expected a key to be without NUL: a database sees it.',
    );
  });

  it('passes the error of its body as it is, and writes nothing', async () => {
    const own = new Error('sold out');
    const run = fencedTransaction(db, [fence(5n)], held, async (tx) => {
      await write(tx as never, `${resource}:gone`);
      throw own;
    });
    await expect(run).rejects.toBe(own);
    expect(await written()).toEqual([]);
    expect(await row()).toBeUndefined();
  });

  it('passes a failed statement and a failed COMMIT as the library reports it', async () => {
    const wrong = fencedTransaction(db, [fence(5n)], held, (tx) => write(tx as never, null as never));
    const codeOf = (error: unknown) => sqlErrorIn(error)?.code;
    expect(codeOf(await wrong.catch((error: unknown) => error))).toBe('23502');
    await enter(5n, 'once');
    expect(codeOf(await enter(5n, 'once').catch((error: unknown) => error))).toBe('23505');
    await enter(5n, 'works again');
  });

  it('does not commit in silence when a failed statement was swallowed', async () => {
    const run = fencedTransaction(db, [fence(5n)], held, (tx) => write(tx as never, null as never).catch(() => {}));
    await expect(run).rejects.toThrow(/not committed|abort|rolled back/i);
    expect(await row()).toBeUndefined();
  });

  it('does not pass a transaction that its body ended by hand for a fenced one', async () => {
    const run = fencedTransaction(db, [fence(5n)], held, async (tx) => {
      if (_name === 'a pool of node-postgres') await (tx as Client).query('ROLLBACK');
      else await (tx as unknown as { rollback(): unknown }).rollback();
    });
    if (_name === 'PGlite') await run;
    else await expect(run).rejects.toThrow(/by hand|Rollback/);
    expect(await row()).toBeUndefined();
  });

  it('asks whether the lock is held before BEGIN and before COMMIT', async () => {
    const lost = new LockLostError([resource], 'DEADLINE');
    let sent = 0;
    const atBegin = fencedTransaction(
      db,
      [fence(5n)],
      () => {
        throw lost;
      },
      async () => (sent += 1),
    );
    await expect(atBegin).rejects.toBe(lost);
    expect(sent).toBe(0);

    let asked = 0;
    const atCommit = fencedTransaction(
      db,
      [fence(5n)],
      () => {
        if ((asked += 1) === 2) throw lost;
      },
      (tx) => write(tx as never, `${resource}:late`),
    );
    await expect(atCommit).rejects.toBe(lost);
    expect(asked).toBe(2);
    expect(await written()).toEqual([]);
    expect(await row()).toBeUndefined();
  });

  it('is busy while somebody else holds a lease of guard mode, and free for its holder', async () => {
    const claim = `SELECT o_token::text FROM roost_claim($1::text::text[], 'g.1', 'h:1', 60000, 0, false)`;
    const [{ o_token: token } = {}] = await databaseOf(db).query(claim, [textArray([resource])], 9_000);
    const busy = await enter(BigInt(token!) + 1n, 'redis', 'a.1').catch((error: unknown) => error);
    expect(busy).toBeInstanceOf(LockBusyError);
    expect(busy).toMatchObject({ keys: [resource] });
    await enter(BigInt(token!), 'guard', 'g.1');
    expect(await written()).toEqual(['guard']);
  });

  it('lets several fences in together or not at all', async () => {
    const other = `${resource}:other`;
    await fencedTransaction(db, [fence(9n, 'b.1', other)], held, async () => {});
    const both = fencedTransaction(db, [fence(5n), fence(5n, 'a.1', other)], held, async () => {});
    await expect(both).rejects.toMatchObject({ resource: other, newest: 9n });
    expect(await row()).toBeUndefined();
    expect(await row(other)).toMatchObject({ token: '9' });
  });

  it('gives the client back every time', async () => {
    for (let i = 0; i < 25; i++) {
      await fencedTransaction(db, [fence(5n)], held, () => Promise.reject(new Error('x'))).catch(() => {});
      await enter(5n, `${i}`);
    }
    expect(pool.idleCount).toBe(pool.totalCount);
  });
});

describe('a database', () => {
  it.each([
    ['a single client', () => new Client()],
    ['Drizzle on a single client', () => drizzlePg(new Client())],
    ['nothing', () => undefined],
    ['a string', () => 'postgres://'],
    ['a function', () => () => {}],
  ])('that is %s is refused', async (_, make) => {
    const run = fencedTransaction(make() as never, [], held, async () => {});
    await expect(run).rejects.toMatchObject({ code: 'lock.fence-unsupported' });
  });

  it('that is a transaction which has begun is refused', async () => {
    const refused = { code: 'lock.fence-unsupported' };
    const inside = (tx: unknown) => fencedTransaction(tx as never, [], held, async () => {});
    await pglite.transaction((tx) => expect(inside(tx)).rejects.toMatchObject(refused));
    await drizzlePg(pool).transaction((tx) => expect(inside(tx)).rejects.toMatchObject(refused));
    await drizzlePglite(pglite).transaction((tx) => expect(inside(tx)).rejects.toMatchObject(refused));
  });

  it('gives its own kind of transaction to the body, by type', async () => {
    const fences: Fence[] = [{ resource: 'typed', token: 1n, holder: 'a.1' }];
    const answers = await Promise.all([
      fencedTransaction(
        pool,
        fences,
        held,
        async (client) => (await client.query<{ n: number }>('SELECT 1 AS n')).rows,
      ),
      fencedTransaction(pglite, fences, held, async (tx) => (await tx.query<{ n: number }>('SELECT 2 AS n')).rows),
      fencedTransaction(drizzlePg({ client: pool, schema: { notes } }), fences, held, async (tx) =>
        tx.transaction((nested) =>
          nested
            .select({ n: sql<number>`3` })
            .from(notes)
            .limit(1),
        ),
      ),
      fencedTransaction(drizzlePglite({ client: pglite, schema: { notes } }), fences, held, (tx) =>
        tx.query.notes.findFirst({ columns: { note: true } }),
      ),
    ]);
    expect(answers[0][0]?.n).toBe(1);
    expect(answers[1][0]?.n).toBe(2);
    expect(answers[2][0]?.n).toBe(3);
    expect(typeof answers[3]?.note).toBe('string');
  });
});
