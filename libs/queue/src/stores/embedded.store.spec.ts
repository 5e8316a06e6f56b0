import { PGlite } from '@electric-sql/pglite';
import { eventually } from '@roost/testing';
import { openPool } from '../database/queue-database.js';
import { QueueClosedError } from '../queue.errors.js';
import { EmbeddedQueueStore } from './embedded.store.js';
import { Bench, tookMs } from './bullmq.testbed.js';

describe('jobs in a Postgres inside this process', () => {
  let db: PGlite;
  const bench = new Bench();
  beforeAll(async () => void (db = await PGlite.create()), 60_000);
  afterEach(() => bench.close());
  afterAll(() => db.close());

  async function open(database: Parameters<typeof openPool>[0] = { pglite: () => Promise.resolve(db) }) {
    const pool = await openPool(database);
    bench.closes(() => pool.end());
    return bench.open(new EmbeddedQueueStore({ pool }));
  }

  it('case 2: takes the first job at once after boot, runs it, and tells of it', async () => {
    const store = await open();
    const queue = bench.queue(store, 'first');
    const events = bench.events(store, 'first');
    await events.waitUntilReady();
    const done: unknown[] = [];
    events.on('completed', ({ returnvalue }) => done.push(returnvalue));
    bench.worker(store, 'first', async ({ data }: { data: { n: number } }) => data.n + 1);
    for (let n = 0; n < 5; n++) {
      const added = queue.add('a', { n });
      expect(await tookMs(() => eventually(() => done.length === n + 1, { within: 3_000 }))).toBeLessThan(1_000);
      await added;
    }
    expect(done).toEqual([1, 2, 3, 4, 5]);
    expect(bench.errors).toEqual([]);
  });

  it('lives beside the tables of the application, in the same session', async () => {
    const before = (await db.query('SHOW search_path')).rows;
    await db.exec('CREATE TABLE IF NOT EXISTS job (name text)'); // the name of a table of BullMQ's, too
    const store = await open();
    const queue = bench.queue(store, 'beside');
    const ran: string[] = [];
    bench.worker(store, 'beside', async ({ name }) => ran.push(name), { concurrency: 4 });
    const business = Array.from({ length: 20 }, (_, i) =>
      db.transaction(async (tx) => {
        await tx.query('INSERT INTO job VALUES ($1)', [`mine ${i}`]);
        if (i % 2 === 0) await tx.rollback();
      }),
    );
    await Promise.all([...business, ...Array.from({ length: 20 }, (_, i) => queue.add(`${i}`, {}))]);
    await eventually(() => ran.length === 20, { within: 5_000 });
    const { rows } = await db.query<{ n: number }>('SELECT count(*)::int AS n FROM job');
    expect(rows).toEqual([{ n: 10 }]);
    expect((await db.query('SHOW search_path')).rows).toEqual(before);
    await db.exec('DROP TABLE job');
  });

  it('case 13: leaves the process its time while a queue runs as many jobs as it may', async () => {
    let asked = 0;
    const counted = new Proxy(db, {
      get: (target, name: keyof PGlite) => {
        if (name === 'transaction') asked++;
        const value: unknown = target[name];
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const store = await open({ pglite: counted });
    const queue = bench.queue(store, 'maxed');
    await queue.setGlobalConcurrency(1);
    await queue.addBulk(Array.from({ length: 4 }, () => ({ name: 'x', data: {} })));
    let [running, done] = [0, 0];
    const gate = { open: undefined as (() => void) | undefined };
    const held = new Promise<void>((resolve) => (gate.open = resolve));
    const run = async () => {
      running++;
      await held;
      done++;
    };
    for (let i = 0; i < 2; i++) bench.worker(store, 'maxed', run, { concurrency: 3 });
    await eventually(() => running === 1, { within: 2_000 });
    asked = 0;
    const startedAt = performance.now();
    await eventually(() => performance.now() - startedAt > 500, { within: 2_000 });
    expect(asked).toBeLessThan(25);
    gate.open!();
    await eventually(() => done === 4, { within: 3_000 });
  });

  it('case 6: does not take a job after its queue was closed, and leaves the database of the application open', async () => {
    const store = await open();
    const queue = bench.queue(store, 'closed');
    await queue.add('a', {});
    await queue.close();
    await expect(queue.add('b', {})).rejects.toThrow(QueueClosedError);
    await bench.close();
    expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });
});
