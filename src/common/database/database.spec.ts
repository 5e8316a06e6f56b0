import { eventually, PostgresServer } from '@roost/testing';
import { sql } from 'drizzle-orm';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from './database.js';
import { DatabaseSetupError, outageOf, type Migration } from './index.js';

const migrations: readonly Migration[] = [
  { name: 'one', sql: "CREATE TABLE things (name text PRIMARY KEY); INSERT INTO things VALUES ($$it's one$$);" },
  { name: 'two', sql: 'ALTER TABLE things ADD COLUMN size int' },
];

const opened: Database[] = [];
async function open(env: { DATABASE_URL?: string; ROOST_DATA_DIR?: string }, steps = migrations): Promise<Database> {
  const settings = { NODE_ENV: 'test', DATABASE_URL: undefined, ROOST_DATA_DIR: undefined, ...env } as const;
  const database = new Database(settings, steps);
  opened.push(database);
  await database.open();
  return database;
}
afterEach(() => Promise.all(opened.splice(0).map((database) => database.close())));

const names = async ({ db }: Database) =>
  (
    (await db.execute(sql`SELECT name, size FROM things ORDER BY name`)) as unknown as { rows: { name: string }[] }
  ).rows.map(({ name }) => name);
const add = ({ db }: Database, name: string) => db.execute(sql`INSERT INTO things (name) VALUES (${name})`);

const hasPassed = (ms: number) => new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), ms));

/** How long a refusal took, and what it was. */
async function refusal(run: () => PromiseLike<unknown>): Promise<{ ms: number; reason: string | undefined }> {
  const start = performance.now();
  const error: unknown = await run().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { ms: performance.now() - start, reason: outageOf(error)?.reason };
}

describe('a database on a server', () => {
  let server: PostgresServer;
  beforeAll(async () => void (server = await PostgresServer.start()), 60_000);
  afterAll(() => server.stop());
  beforeEach(async () => {
    if (!server.running) await server.restart();
    const database = await open({ DATABASE_URL: server.url }, []);
    await database.db.execute(sql`DROP TABLE IF EXISTS things, roost_migrations, broken`);
  });

  it('applies each migration once, also when many instances start at once', async () => {
    const many = await Promise.all(Array.from({ length: 8 }, () => open({ DATABASE_URL: server.url })));
    for (const database of many) expect(await names(database)).toEqual(["it's one"]);
    const later = await open({ DATABASE_URL: server.url }, [
      ...migrations,
      { name: 'three', sql: 'CREATE TABLE broken ()' },
    ]);
    expect(later.report()).toMatchObject({ status: 'up', backend: 'postgres' });
  });

  it('applies all or nothing, and fails the boot with what Postgres says', async () => {
    const broken = open({ DATABASE_URL: server.url }, [...migrations, { name: 'broken', sql: 'CREATE TABEL x ()' }]);
    await expect(broken).rejects.toThrow(DatabaseSetupError);
    await expect(broken).rejects.toThrow(/syntax error at or near "TABEL"/);
    const database = await open({ DATABASE_URL: server.url }, []);
    const [found] = (
      (await database.db.execute(sql`SELECT to_regclass('things') AS t`)) as unknown as { rows: object[] }
    ).rows;
    expect(found).toEqual({ t: null });
  });

  it('names what is wrong at boot when waiting would not help', async () => {
    const { port } = new URL(server.url);
    const absent = open({ DATABASE_URL: `postgres://postgres@127.0.0.1:${port}/absent` });
    await expect(absent).rejects.toThrow(/database "absent" does not exist/);
    const admin = await open({ DATABASE_URL: server.url }, []);
    await admin.db.execute(sql.raw('DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN'));
    const forbidden = open({ DATABASE_URL: `postgres://guest@127.0.0.1:${port}/postgres` }, [
      { name: 'extension', sql: 'CREATE EXTENSION IF NOT EXISTS adminpack' },
    ]);
    await expect(forbidden).rejects.toThrow(/permission denied/);
  });

  it('boots without a server, and applies what is missing when it comes', async () => {
    await server.kill();
    const database = await open({ DATABASE_URL: server.url });
    expect(database.report()).toMatchObject({ status: 'degraded', reason: 'ECONNREFUSED' });
    expect(await refusal(() => add(database, 'x'))).toMatchObject({ reason: 'ECONNREFUSED' });
    await server.restart();
    await eventually(() => database.report().status === 'up', { within: 8_000 });
    expect(await names(database)).toEqual(["it's one"]);
  }, 30_000);

  it('boots while the server hangs, in less than 3 s', async () => {
    server.freeze();
    try {
      const start = performance.now();
      const database = await open({ DATABASE_URL: server.url });
      expect(performance.now() - start).toBeLessThan(3_000);
      expect(database.report()).toMatchObject({ status: 'degraded', reason: 'timeout' });
      server.thaw();
      await eventually(() => database.report().status === 'up', { within: 8_000 });
    } finally {
      server.thaw();
    }
  }, 30_000);

  it('refuses at once when the server is killed, in the middle of a transaction too, and goes on when it is back', async () => {
    const database = await open({ DATABASE_URL: server.url });
    const torn = database.db.transaction(async (tx) => {
      await tx.execute(sql`INSERT INTO things (name) VALUES ('torn')`);
      await server.kill();
      await tx.execute(sql`SELECT 1`);
    });
    expect((await refusal(() => torn)).reason).toBeDefined();
    const { ms, reason } = await refusal(() => add(database, 'x'));
    expect([ms < 200, reason !== undefined]).toEqual([true, true]);
    await server.restart();
    await eventually(() => database.report().status === 'up', { within: 8_000 });
    expect(await names(database)).toEqual(["it's one"]);
  }, 30_000);

  it('refuses within 2 s when the server hangs, then at once, and goes on when it answers again', async () => {
    const database = await open({ DATABASE_URL: server.url });
    await add(database, 'before');
    server.freeze();
    try {
      const first = await Promise.all(Array.from({ length: 20 }, (_, i) => refusal(() => add(database, `hung ${i}`))));
      expect(first.filter(({ ms, reason }) => ms > 2_600 || reason === undefined)).toEqual([]);
      expect((await refusal(() => add(database, 'later'))).ms).toBeLessThan(200);
    } finally {
      server.thaw();
    }
    await eventually(() => database.report().status === 'up', { within: 8_000 });
    await add(database, 'after');
    expect(await names(database)).toEqual(expect.arrayContaining(['after', 'before']));
  }, 30_000);

  it('breaks a transaction off that takes longer than 2 s, and nothing of it is kept', async () => {
    const database = await open({ DATABASE_URL: server.url });
    const slow = database.db.transaction(async (tx) => {
      await tx.execute(sql`INSERT INTO things (name) VALUES ('slow')`);
      await tx.execute(sql`SELECT pg_sleep(10)`);
    });
    const { ms, reason } = await refusal(() => slow);
    expect([ms < 2_600, reason]).toEqual([true, expect.stringMatching(/timeout|57014|connection_lost/)]);
    expect(database.report().status).toBe('up'); // slow is not lost
    expect(await names(database)).toEqual(["it's one"]);
  });

  it('is not taken for lost when a row is locked for long and every connection waits for it', async () => {
    const database = await open({ DATABASE_URL: server.url });
    const other = await open({ DATABASE_URL: server.url }, []);
    const waiting = await other.db.transaction(async (tx) => {
      await tx.execute(sql`UPDATE things SET size = 1`);
      const update = () => refusal(() => database.db.execute(sql`UPDATE things SET size = 2`));
      return Promise.all(Array.from({ length: 30 }, update).map((answer) => Promise.race([answer, hasPassed(1_700)])));
    });
    expect(waiting.filter((answer) => answer?.reason === 'busy').length).toBeGreaterThan(0);
    expect(database.report().status).toBe('up');
  });

  it('survives the end of connections that nobody uses', async () => {
    const database = await open({ DATABASE_URL: server.url });
    await add(database, 'x');
    const admin = await open({ DATABASE_URL: server.url }, []);
    await admin.db.execute(
      sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'roost' AND pid <> pg_backend_pid()`,
    );
    await eventually(async () => (await names(database)).length === 2, { within: 3_000 });
  });
});

describe('a database in this process', () => {
  let folder: string;
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'roost-data-'))));
  afterAll(() => rm(folder, { recursive: true }));

  it('keeps its data in a folder, for one at a time; who comes second waits for its end', async () => {
    const first = await open({ ROOST_DATA_DIR: folder });
    await add(first, 'kept');
    const second = await open({ ROOST_DATA_DIR: folder });
    expect(second.report()).toMatchObject({ status: 'degraded', backend: 'pglite', reason: 'in_use' });
    expect(await refusal(() => add(second, 'x'))).toMatchObject({ reason: 'in_use' });
    await first.close();
    await eventually(() => second.report().status === 'up', { within: 15_000 });
    expect(await names(second)).toEqual(["it's one", 'kept']);
  }, 90_000);

  it('fails the boot when its folder cannot be one', async () => {
    await expect(open({ ROOST_DATA_DIR: '/dev/null/data' })).rejects.toThrow(
      /PGlite does not open \/dev\/null\/data: ENOTDIR/,
    );
  });

  it('is not opened before it is needed when it is in memory', async () => {
    const start = performance.now();
    const database = await open({ DATABASE_URL: 'memory:', ROOST_DATA_DIR: folder });
    expect(performance.now() - start).toBeLessThan(50);
    expect(await names(database)).toEqual(["it's one"]);
  }, 60_000);
});
