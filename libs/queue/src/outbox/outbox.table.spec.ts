import { PGlite } from '@electric-sql/pglite';
import { Metrics } from '@roost/redis';
import { eventually, PostgresServer } from '@roost/testing';
import { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres';
import { drizzle as drizzleOnPglite } from 'drizzle-orm/pglite';
import { Pool } from 'pg';
import { openPool } from '../database/queue-database.js';
import { OutboxUnsupportedError, QueueSetupError } from '../queue.errors.js';
import type { QueueStores } from '../queue.stores.js';
import type { Queues } from '../queues.js';
import { MemoryQueueStore } from '../stores/memory.store.js';
import { outboxSchemaSql } from './outbox.sql.js';
import { draftOf, Jobs, pgliteBed, relayOn, serverBed, type Bed, type Relay } from './outbox.testbed.js';
import { QueueOutbox } from './queue-outbox.js';
import { sessionOf } from './sql-session.js';
import { setTimeout as sleep } from 'node:timers/promises';

let server: PostgresServer;
let pool: Pool;
let pglite: PGlite;
const beds: Record<string, Bed> = {};
const relays: Relay[] = [];

beforeAll(async () => {
  [server, pglite] = await Promise.all([PostgresServer.start(), PGlite.create()]);
  pool = new Pool({ connectionString: server.url });
  beds['Postgres'] = serverBed(pool);
  beds['PGlite'] = pgliteBed(pglite);
  for (const bed of Object.values(beds)) await bed.script(outboxSchemaSql);
});

afterEach(async () => {
  await Promise.all(relays.splice(0).map(({ relay }) => relay.stop(1_000)));
  for (const bed of Object.values(beds)) await bed.script('TRUNCATE roost_queue.outbox');
});

afterAll(async () => {
  await pool?.end();
  await Promise.all([server?.stop(), pglite?.close()]);
});

/** Something that runs a transaction with the library of the test's title. */
type Transaction = (run: (tx: object) => Promise<void>) => Promise<unknown>;

const transactions: Record<string, Record<string, () => Transaction>> = {
  Postgres: {
    'a client in BEGIN': () => beds['Postgres']!.transaction,
    Drizzle: () => (run) => drizzleOnPg(pool).transaction(run),
    'a nested transaction of Drizzle': () => (run) => drizzleOnPg(pool).transaction((tx) => tx.transaction(run)),
    'a function': () => (run) =>
      beds['Postgres']!.transaction((client) =>
        run((text: string, values: string[]) => (client as Pool).query(text, values)),
      ),
  },
  PGlite: {
    'its own transaction': () => beds['PGlite']!.transaction,
    Drizzle: () => (run) => drizzleOnPglite(pglite).transaction(run),
  },
};

describe.each(['Postgres', 'PGlite'])('outbox on %s', (name) => {
  const on = () => beds[name]!;
  const table = () => on().table;

  it('has a schema that many may create at once, and again', async () => {
    // The table as well where others have created the schema: that of a schema makes the others wait by itself.
    for (const drop of ['SCHEMA roost_queue', ...Array.from({ length: 4 }, () => 'TABLE roost_queue.outbox')]) {
      await on().script(`DROP ${drop} CASCADE`);
      await Promise.all(Array.from({ length: 8 }, () => on().script(outboxSchemaSql)));
    }
    await on().script(outboxSchemaSql);
  });

  it('needs no right to create anything where the schema is there', async () => {
    await on().script(`
      DROP ROLE IF EXISTS app; CREATE ROLE app;
      GRANT USAGE ON SCHEMA roost_queue TO app; GRANT SELECT, INSERT, UPDATE, DELETE ON roost_queue.outbox TO app`);
    await on().transaction(async (tx) => {
      const session = sessionOf(tx);
      for (const statement of ['SET LOCAL ROLE app', outboxSchemaSql]) await session.query(statement);
      await table().insert(session, [draftOf('of app')]);
    });
    expect(await table().find('mail', 'of app')).toBeDefined();
  });

  it('lets one be removed that waits, and none that is being delivered', async () => {
    await table().insert(on().pool, [draftOf('waits')]);
    expect([await table().remove('mail', 'waits'), await table().remove('mail', 'waits')]).toEqual([true, false]);
    await table().insert(on().pool, [draftOf('claimed')]);
    await table().claim('relay', 1, 1_000);
    expect(await table().remove('mail', 'claimed')).toBe(false);
  });

  it('gives drafts back as they were, oldest first, and one relay each', async () => {
    const drafts = Array.from({ length: 7 }, (_, index) => draftOf(`job-${9 - index}`));
    const strange = draftOf('strange', { data: { b: 1, a: '"\\ü\u{1F600}\u0001', ab: [null, 1.5] }, name: `it's` });
    await table().insert(on().pool, drafts);
    await table().insert(on().pool, [strange]);
    const first = await table().claim('a', 5, 30_000);
    const second = await table().claim('b', 5, 30_000);
    expect([...first, ...second].map(({ id }) => id)).toEqual([...drafts.map(({ id }) => id), 'strange']);
    const { place: _, attempts, options, ...found } = second.at(-1)!;
    expect(attempts).toBe(1);
    expect({ ...found, options: { jobId: options.jobId, attempts: options.attempts } }).toEqual(strange);
    expect(JSON.stringify(found.data)).toBe(JSON.stringify(strange.data));
    expect(await table().claim('c', 5, 30_000)).toEqual([]);
  });

  it('counts the delay of a job from when it was added', async () => {
    const before = Date.now();
    await table().insert(on().pool, [draftOf('late'), draftOf('dated', { options: { timestamp: 5 } })]);
    const [late, dated] = await table().claim('a', 5, 30_000);
    expect(late!.options.timestamp).toBeGreaterThanOrEqual(before);
    expect(dated!.options.timestamp).toBe(5);
  });

  it('has a job once that is added twice, but for each queue', async () => {
    await table().insert(on().pool, [draftOf('twice'), draftOf('twice', { name: 'other' })]);
    await table().insert(on().pool, [draftOf('twice')]);
    await table().insert(on().pool, [draftOf('twice', { queue: 'push' })]);
    const claimed = await table().claim('a', 5, 30_000);
    expect(claimed.map(({ queue, name: job }) => [queue, job])).toEqual([
      ['mail', 'send'],
      ['push', 'send'],
    ]);
  });

  it('gives claims to others when the lease is over, and then takes nothing back', async () => {
    await table().insert(on().pool, [draftOf('leased'), draftOf('kept')]);
    const stale = await table().claim('dead', 2, 1);
    await sleep(20); // the leases of both are over: each ends by its own millisecond
    const claimed = await table().claim('heir', 2, 30_000);
    expect(claimed).toMatchObject([
      { id: 'leased', attempts: 2 },
      { id: 'kept', attempts: 2 },
    ]);
    await table().delete('dead', stale);
    await table().release('dead', [{ draft: stale[0]!, error: 'late', pauseMs: undefined }]);
    expect(await table().depth()).toMatchObject({ waiting: 2, dead: 0 });
    await table().delete('heir', claimed.slice(0, 1));
    expect(await table().depth()).toMatchObject({ waiting: 1 });
  });

  it('gives a relay again what it has claimed and never got to know', async () => {
    await table().insert(on().pool, [draftOf('lost')]);
    await table().claim('a', 5, 30_000);
    expect(await table().claim('a', 5, 30_000)).toMatchObject([{ id: 'lost', attempts: 2 }]);
  });

  it('leaves released drafts alone for their pause, and dead ones for good', async () => {
    await table().insert(
      on().pool,
      ['now', 'later', 'dead'].map((id) => draftOf(id)),
    );
    const [now, later, dead] = await table().claim('a', 5, 30_000);
    const nasty = new Error(`bad\0 ${'x'.repeat(994)}\u{1F600}`); // cut in the middle of a character
    await table().release('a', [
      { draft: now!, error: 'why', pauseMs: 0 },
      { draft: later!, error: nasty, pauseMs: 10_000 },
      { draft: dead!, error: nasty, pauseMs: undefined },
    ]);
    expect((await table().claim('b', 5, 30_000)).map(({ id }) => id)).toEqual(['now']);
    expect(await table().find('mail', 'later')).toMatchObject({ state: 'waiting', attempts: 1 });
    const report = await table().find('mail', 'dead');
    expect(report).toMatchObject({ state: 'dead', attempts: 1 });
    expect(report!.lastError).toMatch(/^bad x+\uFFFD$/);
    expect(await table().depth()).toMatchObject({ waiting: 2, dead: 1 });
    await table().insert(on().pool, [draftOf('dead')]);
    expect(await table().find('mail', 'dead')).toEqual({ state: 'waiting', attempts: 0, lastError: undefined });
    expect(await table().find('mail', 'never')).toBeUndefined();
  });

  it('tells the age of the oldest', async () => {
    expect(await table().depth()).toEqual({ waiting: 0, oldestAgeMs: 0, dead: 0 });
    await table().insert(on().pool, [draftOf(), draftOf()]);
    await on().script(`UPDATE roost_queue.outbox SET created_at = created_at - interval '1 minute' WHERE seq % 2 = 0`);
    const { oldestAgeMs } = await table().depth();
    expect(oldestAgeMs).toBeGreaterThanOrEqual(60_000);
    expect(oldestAgeMs).toBeLessThan(62_000);
  });

  it.each(Object.keys(transactions[name]!))('case 9: in %s, nothing before COMMIT and after ROLLBACK', async (kind) => {
    const transaction = transactions[name]![kind]!();
    const jobs = new Jobs();
    const own = relayOn(on(), jobs, { lookEveryMs: 60_000 });
    relays.push(own);
    own.relay.start();
    const undone = transaction(async (tx) => {
      await table().insert(sessionOf(tx), [draftOf('undone')]);
      throw new Error('changed my mind');
    });
    await expect(undone).rejects.toThrow('changed my mind');
    let seenBefore: unknown;
    await transaction(async (tx) => {
      await table().insert(sessionOf(tx), [draftOf('done')]);
      await new Promise((resume) => setTimeout(resume, 20));
      seenBefore = [...jobs.ids];
    });
    const committed = performance.now();
    await eventually(() => jobs.ids.length > 0, { within: 1_000, every: 1 });
    expect(performance.now() - committed).toBeLessThan(100);
    expect(seenBefore).toEqual([]);
    expect(jobs.ids).toEqual(['done']);
    await eventually(async () => (await table().depth()).waiting === 0, { within: 1_000 });
  });
});

describe('the outbox of an application', () => {
  const told: Record<string, unknown>[] = [];
  const opened: { close(): Promise<void> }[] = [];
  const drop = (what: string) => beds['Postgres']!.script(`DROP ${what} CASCADE`);
  const ids = async () =>
    (await pool.query<{ id: string }>('SELECT id FROM roost_queue.outbox')).rows.map(({ id }) => id);
  async function open(url = server.url): Promise<QueueOutbox> {
    const made = await openPool({ url });
    const stores = { opened: [new MemoryQueueStore()], pool: () => made, forgetful: false } as unknown as QueueStores;
    const queues = { all: () => [], get: () => undefined } as unknown as Queues; // it relays nothing
    const tell = (_: string, about: object) => void told.push({ ...about });
    const logger = { log: tell, warn: tell, error: tell };
    const outbox = new QueueOutbox({ stores, queues, registry: new Metrics(), logger });
    opened.push(outbox, { close: () => made.end() });
    await outbox.open();
    return outbox;
  }
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
    await beds['Postgres']!.script(outboxSchemaSql);
  });

  it.each(['TABLE roost_queue.outbox', 'SCHEMA roost_queue'])(
    'is made again when somebody drops the %s',
    async (what) => {
      const outbox = await open();
      told.splice(0);
      await drop(what);
      await Promise.all(['a', 'b', 'c'].map((id) => outbox.insert([draftOf(id)])));
      expect((await ids()).toSorted()).toEqual(['a', 'b', 'c']);
      expect(told.filter(({ event }) => event === 'outbox.remade')).toHaveLength(1);
    },
  );

  it('is made again for the next transaction when one has found it dropped', async () => {
    const outbox = await open();
    await drop('TABLE roost_queue.outbox');
    const add = (id: string) => drizzleOnPg(pool).transaction((tx) => outbox.insertIn(sessionOf(tx), [draftOf(id)]));
    const first = await add('a').then(
      () => ['a'], // the relay has found it before
      (error: unknown) => (expect(error).toMatchObject({ cause: { code: '42P01' } }), []),
    );
    await add('b');
    expect(await ids()).toEqual([...first, 'b']);
  });

  it('says at boot what an administrator has to do, and needs no right where that was done', async () => {
    await drop('SCHEMA roost_queue');
    await pool.query('DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN');
    const url = server.url.replace('postgres@', 'clerk@');
    await expect(open(url)).rejects.toThrow(QueueSetupError);
    await expect(open(url)).rejects.toThrow(/permission denied .*GRANT CREATE ON DATABASE.*`outboxSchemaSql`/);
    await pool.query(outboxSchemaSql);
    await expect(open(url)).rejects.toThrow(/permission denied .*GRANT USAGE ON SCHEMA roost_queue/);
    await pool.query('GRANT USAGE ON SCHEMA roost_queue TO clerk');
    await pool.query('GRANT SELECT, INSERT, UPDATE, DELETE ON roost_queue.outbox TO clerk');
    await (await open(url)).insert([draftOf('a')]);
    expect(await ids()).toEqual(['a']);
    await drop('SCHEMA roost_queue');
  });
});

type Send = (text: string, values: string[]) => Promise<{ rows: unknown[] }>;
const verb = () => {};

/** Libraries that are not installed here, as far as their shape matters; tried on Knex 3.3, Kysely 0.28, TypeORM 1.1, postgres.js 3.4. */
const libraries: Record<string, { outside: object[]; inside: (send: Send) => object }> = {
  Knex: {
    outside: [Object.assign(() => {}, { raw: verb, transaction: verb })],
    inside: (send) => {
      const raw = (text: string, values: string[]) => {
        let place = 0;
        return send(
          text.replaceAll('?', () => `$${++place}`),
          values,
        );
      };
      return Object.assign(() => {}, { raw, transaction: verb, isTransaction: true });
    },
  },
  Kysely: {
    outside: [{ executeQuery: verb, getExecutor: verb, isTransaction: false }],
    inside: (send) => ({
      executeQuery: ({ sql, parameters }: { sql: string; parameters: string[] }) => send(sql, [...parameters]),
      getExecutor: verb,
      isTransaction: true,
    }),
  },
  TypeORM: {
    outside: [
      { query: verb, getRepository: verb },
      { query: verb, getRepository: verb, queryRunner: { isTransactionActive: false } },
      { query: verb, startTransaction: verb, release: verb, connect: verb, isTransactionActive: false },
    ],
    inside: (send) => ({
      query: async (text: string, values: string[]) => (await send(text, values)).rows,
      getRepository: verb,
      queryRunner: { isTransactionActive: true },
    }),
  },
  'postgres.js': {
    outside: [Object.assign(() => {}, { unsafe: verb, begin: verb })],
    inside: (send) =>
      Object.assign(() => {}, {
        unsafe: async (text: string, values: string[]) => (await send(text, values)).rows,
        savepoint: verb,
      }),
  },
};

describe('sessionOf', () => {
  const refused = (tx: unknown) => {
    try {
      sessionOf(tx);
      return undefined;
    } catch (error) {
      expect(error).toBeInstanceOf(OutboxUnsupportedError);
      return (error as Error).message;
    }
  };

  it('refuses what is outside of a transaction, as the job would not be added together with it', async () => {
    const client = await pool.connect();
    await client.query('SELECT 1');
    const outside: [unknown, RegExp][] = [
      [pool, /got a pool/],
      [client, /a client on which BEGIN was not sent/],
      [pglite, /a PGlite/],
      [drizzleOnPg(pool), /a Drizzle database/],
      [drizzleOnPg(client), /a Drizzle database/],
      [drizzleOnPglite(pglite), /a Drizzle database/],
    ];
    for (const [given, why] of outside) {
      expect(refused(given)).toMatch(why);
      expect(refused(given)).toMatch(/the job would be kept even when what is written with it is not/);
    }
    client.release();
  });

  it('refuses a client whose transaction has been ended', async () => {
    let left: object | undefined;
    await beds['Postgres']!.transaction(async (client) => {
      left = client;
      expect(refused(client)).toBeUndefined();
    });
    expect(refused(left)).toMatch(/has been ended/);
  });

  it.each([undefined, null, 'tx', 5, {}, [], { query: 1 }, { query() {} }])(
    'refuses %p, naming what was expected',
    (tx) => {
      expect(refused(tx)).toMatch(/^Expected a client of node-postgres .* or a function .* got /);
    },
  );

  describe.each(Object.keys(libraries))('%s', (library) => {
    const { outside, inside } = libraries[library]!;

    it('is refused outside of a transaction', () => {
      for (const given of outside) expect(refused(given)).toMatch(new RegExp(library));
    });

    it('is asked in its own way in one', async () => {
      await beds['Postgres']!.transaction(async (client) => {
        const session = sessionOf(inside((text, values) => (client as Pool).query(text, values)));
        const { rows } = await session.query('SELECT $2::text AS b, $1::text AS a, $2::text AS c', ['x', 'y']);
        expect(rows).toEqual([{ a: 'x', b: 'y', c: 'y' }]);
      });
    });
  });

  it('refuses a function that does not resolve to rows', async () => {
    const session = sessionOf(async () => ({ rowCount: 1 }));
    await expect(session.query('SELECT 1')).rejects.toThrow(/\{ rows \}/);
  });
});
