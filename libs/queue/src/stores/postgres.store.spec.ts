import { eventually, PostgresServer } from '@roost/testing';
import pg from 'pg';
import { openPool, type QueueDatabase, type QueuePool } from '../database/queue-database.js';
import { ClockSkewError, QueueSetupError, QueueUnavailableError } from '../queue.errors.js';
import { PostgresQueueStore, type PostgresStoreParts } from './postgres.store.js';
import { Bench, tookMs } from './bullmq.testbed.js';
import { outlivesItsServer } from './outages.testbed.js';

describe('jobs in Postgres', () => {
  let server: PostgresServer;
  const bench = new Bench();
  beforeAll(async () => void (server = await PostgresServer.start()), 60_000);
  afterEach(async () => {
    server.thaw();
    await bench.close();
    if (!server.running) await server.restart();
  });
  afterAll(() => server.stop());

  async function poolOf(database: QueueDatabase = { url: server.url }): Promise<QueuePool> {
    const pool = await openPool(database);
    bench.closes(() => pool.end());
    return pool;
  }
  async function open(options: Partial<PostgresStoreParts> = {}) {
    return bench.open(new PostgresQueueStore({ pool: await poolOf(), ...options }));
  }

  outlivesItsServer({ bench, open, server: () => server, refusal: QueueUnavailableError, hungWithinMs: 50 });

  it('case 2, 8: makes the schema, takes the first job at once after boot, runs it, and tells of it', async () => {
    const pool = await poolOf();
    const [store] = await Promise.all([open({ pool }), open(), open()]);
    const { rows } = await pool.query('SELECT max(version) AS version FROM migration', []);
    expect(rows).toEqual([{ version: 11 }]);
    const queue = bench.queue(store, 'first');
    const events = bench.events(store, 'first');
    await events.waitUntilReady();
    const done: unknown[] = [];
    events.on('completed', ({ returnvalue }) => done.push(returnvalue));
    bench.worker(store, 'first', async ({ data }: { data: { n: number } }) => data.n + 1);
    await queue.add('a', { n: 1 });
    await eventually(() => done.length === 1, { within: 3_000 });
    expect(done).toEqual([2]);
    const flows = bench.flows(store);
    await flows.add({ name: 'p', queueName: 'first', children: [{ name: 'c', queueName: 'first', data: { n: 5 } }] });
    await eventually(() => done.length === 3, { within: 3_000 });
    expect(bench.errors).toEqual([]);
  });

  it('has few connections however many queues and workers there are, and warns of no listeners', async () => {
    const warned: Error[] = [];
    const onWarning = (warning: Error) => void warned.push(warning);
    process.on('warning', onWarning);
    const admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    bench.closes(() => admin.end());
    const count = async (which = 'true') => {
      const clients = `backend_type = 'client backend' AND pid <> pg_backend_pid() AND ${which}`;
      const { rows } = await admin.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE ${clients}`,
      );
      return rows[0]!.n;
    };
    const store = await open();
    const queues = Array.from({ length: 12 }, (_, i) => bench.queue(store, `many${i}`));
    await queues[0]!.add('x', {});
    expect(await count(`query ~ '^LISTEN'`)).toBe(0); // nobody waits for jobs here
    const ran: string[] = [];
    for (let i = 0; i < 12; i++) {
      bench.worker(store, `many${i}`, async ({ name }) => ran.push(name), { concurrency: 4 });
      bench.events(store, `many${i}`);
    }
    await Promise.all(
      queues.map((queue) => queue.addBulk(Array.from({ length: 10 }, () => ({ name: 'x', data: {} })))),
    );
    await eventually(() => ran.length === 121, { within: 5_000 });
    expect(await count()).toBeLessThanOrEqual(11); // ten, and one that listens
    expect(await count(`query ~ '^LISTEN'`)).toBe(1);
    process.off('warning', onWarning);
    expect(warned).toEqual([]);
  });

  it('case 1, 4, 34: refuses in time while Postgres is away at boot, and works when it has come', async () => {
    await server.kill();
    const store = await open();
    const queue = bench.queue(store, 'late');
    const ran: string[] = [];
    bench.worker(store, 'late', async ({ id }) => ran.push(id!));
    const never = await open();
    const idle = bench.worker(never, 'late', async () => 1);
    expect(store.trouble).toBe('ECONNREFUSED');
    const add = () => expect(queue.add('a', {})).rejects.toThrow(QueueUnavailableError);
    expect(await tookMs(add)).toBeLessThan(1_100);
    expect(await tookMs(() => idle.close())).toBeLessThan(700);
    expect(await tookMs(() => never.close())).toBeLessThan(300);
    let ready = 0;
    store.onReady(() => void ready++);
    await server.restart();
    await eventually(() => ready === 1, { within: 3_000 });
    const { id } = await queue.add('a', {});
    await eventually(() => ran.length === 1, { within: 3_000 });
    expect([ran, ready]).toEqual([[id], 1]);
  }, 20_000);

  it('case 13: asks seldom while a queue runs as many jobs as it may', async () => {
    const pool = await poolOf();
    let asked = 0;
    const query = pool.query.bind(pool);
    pool.query = (text, params) => (asked++, query(text, params));
    const store = await open({ pool });
    const queue = bench.queue(store, 'maxed');
    await queue.setGlobalConcurrency(1);
    await queue.addBulk(Array.from({ length: 6 }, () => ({ name: 'x', data: {} })));
    let [running, most, done] = [0, 0, 0];
    const gate = { open: undefined as (() => void) | undefined };
    const held = new Promise<void>((resolve) => (gate.open = resolve));
    const run = async () => {
      most = Math.max(most, ++running);
      await held;
      running--;
      done++;
    };
    for (let i = 0; i < 2; i++) bench.worker(store, 'maxed', run, { concurrency: 3 });
    await eventually(() => running === 1, { within: 2_000 });
    asked = 0;
    await new Promise((resolve) => setTimeout(resolve, 50));
    const startedAt = performance.now();
    await eventually(() => performance.now() - startedAt > 1_000, { within: 2_000 });
    expect(asked).toBeLessThan(50);
    gate.open!();
    expect(await tookMs(() => eventually(() => done === 6, { within: 3_000 }))).toBeLessThan(1_000);
    expect(most).toBe(1);
  });

  it('case 30: does not start when its clock differs so much that jobs would run twice, and warns of less', async () => {
    const now = (aheadMs: number) => () => Date.now() + aheadMs;
    for (const aheadMs of [10_000, -10_000]) {
      const store = new PostgresQueueStore({ pool: await poolOf(), lockDurationMs: 30_000, now: now(aheadMs) });
      bench.closes(() => store.close());
      await expect(store.open()).rejects.toThrow(ClockSkewError);
    }
    const off = await open({ now: now(5_000) });
    expect(await off.audit()).toMatchObject([{ severity: 'warn', about: 'clock-skew' }]);
    expect(await (await open()).audit()).toEqual([]);
  });

  it('case 47: lists and counts jobs as Redis does', async () => {
    const store = await open();
    const queue = bench.queue(store, 'lists');
    await queue.pause();
    for (let i = 0; i < 5; i++) await queue.add(`j${i}`, {});
    for (const priority of [2, 1, 2]) await queue.add(`p${priority}`, {}, { priority });
    const names = async (...args: Parameters<typeof queue.getJobs>) =>
      (await queue.getJobs(...args)).map(({ name }) => name);
    expect(await names(['waiting'], 0, 2, true)).toEqual(['j0', 'j1', 'j2']);
    expect(await names(['waiting'], 1, -1, true)).toEqual(['j1', 'j2', 'j3', 'j4']);
    expect(await names(['waiting'], 0, 2, false)).toEqual(['j4', 'j3', 'j2']);
    expect(await names(['prioritized'], 0, -1, true)).toEqual(['p1', 'p2', 'p2']);
    expect(await names(['prioritized'], 0, -1, false)).toEqual(['p2', 'p2', 'p1']);
    expect(await queue.getJobCounts('waiting', 'paused' as never, 'prioritized', 'delayed')).toEqual({
      waiting: 5,
      paused: 0,
      prioritized: 3,
      delayed: 0,
    });
    expect(await queue.trimEvents(10)).toBe(0);
    const oldest = (await queue.getJobs(['prioritized'], 0, -1, true)).find(({ priority }) => priority === 2);
    expect(await store.leastUrgent('lists')).toBe(oldest!.id);
  });

  it('tells of all events, also of transactions that commit in another order than they began', async () => {
    const store = await open();
    const events = bench.events(store, 'order');
    const heard: string[] = [];
    events.on('waiting', ({ jobId }) => void heard.push(jobId));
    await events.waitUntilReady();
    const clients = [0, 1].map(() => new pg.Client({ connectionString: server.url }));
    await Promise.all(clients.map((client) => client.connect()));
    bench.closes(() => Promise.all(clients.map((client) => client.end())));
    const [early, late] = clients as [pg.Client, pg.Client];
    const tell = (client: pg.Client, jobId: string) =>
      client.query(`SELECT bullmq.publish_event('order', 'waiting', $1::jsonb)`, [JSON.stringify({ jobId })]);
    await tell(early, 'before'); // from here on events are read as they come
    await eventually(() => heard.splice(0).length === 1, { within: 5_000 });
    // The one with the smaller transaction id has the larger event id, and commits first.
    await early.query('BEGIN; SELECT pg_current_xact_id()');
    await late.query('BEGIN');
    await tell(late, 'first');
    await tell(early, 'second');
    await early.query(`SELECT pg_notify('bullmq_events', 'order')`); // which BullMQ leaves to the one that told first
    await early.query('COMMIT');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(heard).toEqual([]);
    await late.query('COMMIT');
    await eventually(() => heard.length === 2, { within: 1_000 });
    expect(heard).toEqual(['first', 'second']);
  });

  it('wakes up for a delayed job when it is due, and for one that is added, at once', async () => {
    const store = await open();
    const queue = bench.queue(store, 'delayed');
    const ran: number[] = [];
    bench.worker(store, 'delayed', async () => ran.push(Date.now()));
    const at = Date.now();
    await queue.add('later', {}, { delay: 300 });
    await eventually(() => ran.length === 1, { within: 2_000 });
    expect(ran[0]! - at).toBeGreaterThanOrEqual(295);
    expect(ran[0]! - at).toBeLessThan(600);
    expect(
      await tookMs(async () => (await queue.add('now', {}), eventually(() => ran.length === 2, { within: 1_000 }))),
    ).toBeLessThan(200);
  });

  it('works on a pool of the application and leaves its connections as they are', async () => {
    const theirs = new pg.Pool({ connectionString: server.url, max: 5 });
    theirs.on('error', () => undefined);
    bench.closes(() => theirs.end());
    const pool = await poolOf({ pool: theirs });
    const store = await open({ pool });
    const ran: string[] = [];
    bench.worker(store, 'theirs', async ({ name }) => ran.push(name));
    const queue = bench.queue(store, 'theirs');
    await queue.add('a', {});
    await eventually(() => ran.length === 1, { within: 2_000 });
    const paths = await Promise.all(
      Array.from({ length: 4 }, () => theirs.query<{ search_path: string }>('SHOW search_path')),
    );
    expect(new Set(paths.map(({ rows }) => rows[0]!.search_path))).toEqual(new Set(['"$user", public']));
  });

  it('says at boot what an administrator has to do', async () => {
    const { port } = server;
    const pool = await poolOf({ url: `postgres://postgres@127.0.0.1:${port}/absent` });
    const store = new PostgresQueueStore({ pool });
    bench.closes(() => store.close());
    await expect(store.open()).rejects.toThrow(/database "absent" does not exist/);
    await expect(store.open()).rejects.toThrow(QueueSetupError);
  });

  it('does not start where BullMQ adds jobs in a way that transactions do not know', async () => {
    await open();
    const admin = await poolOf();
    const signature =
      'add_job(text,text,text,jsonb,jsonb,integer,bigint,bigint,integer,text,text,text,text,text,boolean)';
    await admin.query(`ALTER FUNCTION bullmq.${signature} RENAME TO other`);
    const opened = open().catch((error: unknown) => error);
    expect(await opened).toMatchObject({ code: 'queue.setup', message: expect.stringContaining(signature) });
    await admin.query(`ALTER FUNCTION bullmq.${signature.replace('add_job', 'other')} RENAME TO add_job`);
  });

  it('works for a user who may create nothing once an administrator has granted what it says', async () => {
    await open();
    const admin = await poolOf();
    await admin.query('DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN');
    const url = server.url.replace('postgres@', 'clerk@');
    const asClerk = async () => open({ pool: await poolOf({ url }) });
    const { message } = (await asClerk().catch((error: unknown) => error)) as QueueSetupError;
    expect(message).toMatch(/permission denied .*GRANT CREATE ON DATABASE.*; or start once as one who has it/);
    await admin.query(`GRANT USAGE, CREATE ON SCHEMA bullmq TO clerk;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA bullmq TO clerk;
      GRANT USAGE ON ALL SEQUENCES IN SCHEMA bullmq TO clerk`);
    const store = await asClerk();
    const queue = bench.queue(store, 'clerk');
    const ran: string[] = [];
    bench.worker(store, 'clerk', async ({ name }) => ran.push(name));
    await queue.add('a', {});
    await queue.add('b', {}, { jobId: 'own' });
    await eventually(() => ran.length === 2, { within: 2_000 });
  });
});
