import { InvalidOptionsError } from '@roost/redis';
import { eventually, PostgresServer } from '@roost/testing';
import pg from 'pg';
import { OutageError } from './outage.js';
import { isEmbedded, openPool, type QueuePool } from './queue-database.js';

describe('a pool of connections to a Postgres server', () => {
  let server: PostgresServer;
  const open: QueuePool[] = [];
  beforeAll(async () => {
    server = await PostgresServer.start();
    await (await pool()).query('CREATE SCHEMA bullmq; CREATE TABLE bullmq.here (n int)');
  }, 60_000);
  afterEach(async () => {
    server.thaw();
    await Promise.all(open.splice(0).map((each) => each.end()));
    if (!server.running) await server.restart();
  });
  afterAll(() => server.stop());

  async function pool(url = server.url): Promise<QueuePool> {
    const made = await openPool({ url });
    open.push(made);
    return made;
  }
  const notify = async (text: string) => void (await (await pool()).query("SELECT pg_notify('news', $1)", [text]));

  it('case 7: takes nothing but the address of a Postgres', async () => {
    for (const url of ['redis://127.0.0.1:6379', 'mysql://127.0.0.1/x', '127.0.0.1:5432']) {
      await expect(openPool({ url })).rejects.toThrow(InvalidOptionsError);
    }
    expect([isEmbedded({ url: 'postgres://x' }), isEmbedded({ folder: '.data' })]).toEqual([false, true]);
  });

  it('sees the schema of BullMQ, whatever else the address asks for', async () => {
    const theirs = `${server.url}?options=${encodeURIComponent('-c work_mem=5MB')}`;
    for (const url of [server.url, theirs]) {
      const { rows } = await (
        await pool(url)
      )
        .query('SHOW search_path; SHOW work_mem')
        .then((results) => ({ rows: (results as unknown as { rows: object[] }[]).flatMap((each) => each.rows) }));
      expect(rows).toEqual([{ search_path: 'bullmq' }, { work_mem: url === theirs ? '5MB' : '4MB' }]);
    }
  });

  it('tells mistakes from outages, and keeps the connection after a mistake', async () => {
    const one = await pool();
    const pid = async () => (await one.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid;
    const before = await pid();
    await expect(one.query('SELECT * FROM nowhere')).rejects.toMatchObject({ code: '42P01' });
    expect([one.trouble, await pid()]).toEqual([undefined, before]);
  });

  it('gives up a statement with its connection when its time has come, and refuses until the server answers', async () => {
    const one = await pool();
    const pid = async () => (await one.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid;
    const before = await pid();
    const troubles: (string | undefined)[] = [];
    one.onTrouble((trouble) => troubles.push(trouble));
    server.freeze();
    const startedAt = performance.now();
    await expect(one.queryWithin(100, 'SELECT 1')).rejects.toMatchObject({ reason: 'timeout', sent: true });
    expect(performance.now() - startedAt).toBeLessThan(300);
    await expect(one.query('SELECT 1')).rejects.toMatchObject({ reason: 'timeout', sent: false });
    server.thaw();
    await eventually(() => one.trouble === undefined, { within: 3_000 });
    expect(await pid()).not.toBe(before);
    expect(troubles).toEqual(['timeout', undefined]);
  });

  it('does not take one slow statement for an outage for longer than a look takes', async () => {
    const one = await pool();
    await expect(one.queryWithin(50, 'SELECT pg_sleep(5)')).rejects.toThrow(OutageError);
    await eventually(() => one.trouble === undefined, { within: 500 });
  });

  it('does not take it for an outage that all connections are in use', async () => {
    const one = await pool();
    const inUse = Promise.all(Array.from({ length: 10 }, () => one.query('SELECT pg_sleep(0.4)')));
    await expect(one.queryWithin(50, 'SELECT 1')).rejects.toMatchObject({ reason: 'busy', sent: false });
    expect(one.trouble).toBeUndefined();
    await inUse;
    expect((await one.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('listens again after the server was killed, and says that something may have been missed', async () => {
    const one = await pool();
    const [heard, also]: (string | undefined)[][] = [[], []];
    await one.listen('news', (payload) => heard!.push(payload));
    const unlisten = await one.listen('news', (payload) => also!.push(payload));
    await notify('one');
    await eventually(() => heard!.length === 1 && also!.length === 1, { within: 1_000 });
    await unlisten();
    await server.kill();
    await server.restart();
    await eventually(() => heard!.length === 2, { within: 3_000 });
    await notify('two');
    await eventually(() => heard!.length === 3, { within: 1_000 });
    expect([heard, also]).toEqual([['one', undefined, 'two'], ['one']]);
  }, 20_000);

  it('does not listen where it cannot, and says so', async () => {
    await server.kill();
    const one = await pool();
    await expect(one.listen('news', () => undefined)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await server.restart();
    await eventually(() => one.listen('news', () => undefined).then(() => true), { within: 2_000 });
  }, 20_000);

  it('ends in time while the server hangs, and leaves a pool of the application open', async () => {
    const theirs = new pg.Pool({ connectionString: server.url });
    theirs.on('error', () => undefined);
    const lent = await openPool({ pool: theirs });
    await lent.listen('news', () => undefined);
    await lent.query('SELECT 1');
    await lent.end();
    expect((await theirs.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await theirs.end();

    const one = await pool();
    await one.listen('news', () => undefined);
    server.freeze();
    const asked = one.queryWithin(100, 'SELECT 1').catch(() => undefined);
    const startedAt = performance.now();
    await one.end();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await asked;
    await expect(one.query('SELECT 1')).rejects.toMatchObject({ reason: 'closed', sent: false });
  });
});
