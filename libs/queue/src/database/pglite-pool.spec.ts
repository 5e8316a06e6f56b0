import { PGlite } from '@electric-sql/pglite';
import { OutageError } from './outage.js';
import { openPool, type QueuePool } from './queue-database.js';

describe('a PGlite as a pool', () => {
  let db: PGlite;
  let pool: QueuePool;
  beforeAll(async () => {
    db = await PGlite.create();
    await db.exec('CREATE SCHEMA bullmq; CREATE TABLE bullmq.here (n int8)');
  }, 60_000);
  beforeEach(async () => {
    await db.exec('TRUNCATE bullmq.here');
    pool = await openPool({ pglite: db });
  });
  afterEach(() => pool.end());
  afterAll(() => db.close());

  const here = async () =>
    (await db.query<{ n: number }>('SELECT n FROM bullmq.here ORDER BY n')).rows.map(({ n }) => n);

  it('answers as node-postgres does, in the schema of BullMQ', async () => {
    expect(await pool.query('INSERT INTO here VALUES ($1), ($2)', [1, 2])).toMatchObject({ rowCount: 2 });
    expect((await pool.query('SELECT n FROM here ORDER BY n', [])).rows).toEqual([{ n: '1' }, { n: '2' }]);
    expect((await pool.query('UPDATE here SET n = n + 1; SELECT max(n) AS n FROM here')).rows).toEqual([{ n: '3' }]);
  });

  it('lets nobody in between BEGIN and COMMIT, and rolls back what is not committed', async () => {
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query('SET LOCAL search_path TO bullmq');
    await client.query('INSERT INTO here VALUES ($1)', [1]);
    const another = db.query('INSERT INTO bullmq.here VALUES (2)');
    await expect(client.query('SELECT 1 / 0')).rejects.toThrow(/division by zero/);
    await client.query('ROLLBACK');
    await another;
    expect(await here()).toEqual([2]);

    await client.query('BEGIN');
    await client.query('INSERT INTO bullmq.here VALUES ($1)', [3]);
    await client.query('COMMIT');
    await client.query('BEGIN');
    await client.query('INSERT INTO bullmq.here VALUES ($1)', [4]);
    client.release();
    await pool.query('INSERT INTO here VALUES ($1)', [5]);
    expect(await here()).toEqual([2, 3, 5]);
  });

  it('tells what is notified, until nobody listens any more', async () => {
    const heard: (string | undefined)[] = [];
    const unlisten = await pool.listen('news', (payload) => heard.push(payload));
    await pool.query("SELECT pg_notify('news', $1)", ['one']);
    await pool.query("SELECT pg_notify('other', $1)", ['two']);
    expect(heard).toEqual(['one']);
    await unlisten();
    await unlisten();
    await pool.query("SELECT pg_notify('news', $1)", ['three']);
    expect(heard).toEqual(['one']);
  });

  it('opens when it is first needed, and again after that failed', async () => {
    let opened = 0;
    const open = () => (opened++ === 0 ? Promise.reject(new Error('not yet')) : Promise.resolve(db));
    const lazy = await openPool({ pglite: open });
    expect(opened).toBe(0);
    await expect(lazy.query('SELECT 1')).rejects.toThrow('not yet');
    expect((await lazy.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await lazy.query('SELECT 1');
    expect(opened).toBe(2);
    await lazy.end();
    await expect(lazy.query('SELECT 1')).rejects.toThrow(OutageError);
    expect([lazy.trouble, db.closed]).toEqual(['closed', false]);
  });

  it('leaves the event loop its turns, however many statements follow each other', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    for (let i = 0; i < 50; i++) await pool.query('SELECT 1');
    clearInterval(timer);
    expect(turns).toBeGreaterThan(10);
  });
});
