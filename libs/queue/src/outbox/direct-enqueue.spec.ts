import { PostgresServer } from '@roost/testing';
import { createPostgresBackend, Queue, runMigrations, Worker, type PgPool, type PgPoolClient } from 'bullmq';
import { Pool } from 'pg';
import { QueueSetupError } from '../queue.errors.js';
import { assertDirectEnqueue, enqueueDirectly } from './direct-enqueue.js';
import { draftOf, serverBed, type Bed } from './outbox.testbed.js';
import { sessionOf, type SqlSession } from './sql-session.js';

let server: PostgresServer;
let pool: Pool;
let bed: Bed;
let bullPool: Pool;
let queue: Queue;

beforeAll(async () => {
  server = await PostgresServer.start();
  pool = new Pool({ connectionString: server.url });
  bed = serverBed(pool);
  await expect(assertDirectEnqueue(pool as unknown as PgPool)).rejects.toBeInstanceOf(QueueSetupError);
  const client = await pool.connect();
  await runMigrations(client as unknown as PgPoolClient);
  client.release();
  bullPool = new Pool({ connectionString: server.url, options: '-c search_path=bullmq', keepAlive: true });
  bullPool.on('error', () => {});
  queue = new Queue('mail', { connection: bullPool as unknown as PgPool as never }, createPostgresBackend as never);
  await queue.waitUntilReady();
});

afterAll(async () => {
  await queue?.close();
  await Promise.all([bullPool?.end(), pool?.end()]);
  await server?.stop();
});

const rowOf = async (id: string) => {
  const { rows } = await pool.query<Record<string, unknown>>(
    `SELECT to_jsonb(j) AS job FROM bullmq.job j WHERE id = $1`,
    [id],
  );
  const { seq: _, ...row } = rows[0]!['job'] as Record<string, unknown>;
  return row;
};

describe('enqueueDirectly', () => {
  it('finds the function in the version of BullMQ that is installed', async () => {
    await assertDirectEnqueue(pool as unknown as PgPool);
    await pool.query('ALTER FUNCTION bullmq.add_job RENAME TO add_job_2');
    await expect(assertDirectEnqueue(pool as unknown as PgPool)).rejects.toThrow(/bullmq\.add_job\(text/);
    await pool.query('ALTER FUNCTION bullmq.add_job_2 RENAME TO add_job');
  });

  it.each([
    ['no options', {}],
    ['a delay', { delay: 60_000, attempts: 3, backoff: { type: 'exponential', delay: 100 } }],
    ['a priority', { priority: 7, removeOnComplete: { age: 10 }, removeOnFail: true, roost: { key: 'k' } }],
    ['lifo', { lifo: true, attempts: 5 }],
  ])('leaves the same row as Queue.add with %s', async (what, given) => {
    const [ours, theirs] = [`ours ${what}`, `theirs ${what}`];
    const at = { timestamp: Date.now() - 5 };
    const data = { text: `it's "ü" \\ \u{1F600}`, list: [1, null] };
    await bed.transaction(async (tx) => {
      const draft = draftOf(ours, { data, options: { jobId: ours, ...given, ...at } });
      expect(await enqueueDirectly(sessionOf(tx), draft)).toBe(ours);
    });
    await queue.add('send', data, { jobId: theirs, ...given, ...at });
    const replaced = JSON.parse(JSON.stringify(await rowOf(ours)).replaceAll(ours, theirs)) as object;
    expect(replaced).toEqual(await rowOf(theirs));
  });

  it('adds a job once by its id, and by deduplication', async () => {
    const session = pool as unknown as SqlSession;
    for (const id of ['same', 'same']) expect(await enqueueDirectly(session, draftOf(id))).toBe('same');
    const deduplication = { id: 'one', ttl: 60_000 };
    const add = (id: string) => enqueueDirectly(session, draftOf(id, { options: { jobId: id, deduplication } }));
    expect([await add('first'), await add('second')]).toEqual(['first', 'first']);
    expect(await queue.getJob('second')).toBeUndefined();
  });

  it('case 9: after ROLLBACK there is no job, and before COMMIT none runs; COMMIT wakes a worker at once', async () => {
    const ran: string[] = [];
    const worker = new Worker(
      'orders',
      async ({ id }) => void ran.push(id!),
      { connection: bullPool as unknown as PgPool as never },
      createPostgresBackend as never,
    );
    await worker.waitUntilReady();
    const undone = bed.transaction(async (tx) => {
      await enqueueDirectly(sessionOf(tx), draftOf('undone', { queue: 'orders' }));
      throw new Error('changed my mind');
    });
    await expect(undone).rejects.toThrow('changed my mind');
    const done = new Promise<number>((resolve) => worker.once('completed', () => resolve(performance.now())));
    await bed.transaction(async (tx) => {
      await enqueueDirectly(sessionOf(tx), draftOf('done', { queue: 'orders' }));
      await new Promise((resume) => setTimeout(resume, 30));
      expect(ran).toEqual([]);
    });
    const committed = performance.now();
    expect((await done) - committed).toBeLessThan(100);
    expect(ran).toEqual(['done']);
    await worker.close();
  });
});
