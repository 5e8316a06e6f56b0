import { eventually, PostgresServer, RedisServer } from '@roost/testing';
import { createPostgresBackend, Queue, runMigrations, Worker, type RedisQueueBackend } from 'bullmq';
import { Pool } from 'pg';
import { Fairness } from './fairness.js';
import { postgresLeastUrgent } from './postgres-least-urgent.sql.js';
import { redisLeastUrgent, type ScriptClient } from './redis-least-urgent.lua.js';

describe('Fairness', () => {
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  function counting({ every, leastUrgent }: { every?: number; leastUrgent?: () => Promise<string | undefined> } = {}) {
    const promoted: string[] = [];
    const errors: unknown[] = [];
    const fairness = new Fairness({
      every,
      leastUrgent: leastUrgent ?? (async () => `job ${promoted.length}`),
      promote: async (id) => void promoted.push(id),
      onError: (error) => errors.push(error),
    });
    return { fairness, promoted, errors };
  }

  it('moves one in ten', async () => {
    const { fairness, promoted, errors } = counting();
    const after: number[] = [];
    for (let job = 0; job < 31; job++) {
      fairness.finished();
      await settled();
      after.push(promoted.length);
    }
    expect([8, 9, 18, 19, 30].map((job) => after[job])).toEqual([0, 1, 1, 2, 3]);
    expect(errors).toEqual([]);
  });

  it('moves nothing where none has to be moved', async () => {
    const { fairness, promoted, errors } = counting({ every: 1, leastUrgent: async () => undefined });
    fairness.finished();
    await settled();
    expect([promoted, errors]).toEqual([[], []]);
  });

  it('makes one move at a time, and the one that is due afterwards', async () => {
    let looks = 0;
    let answer: (id: string) => void = () => undefined;
    const leastUrgent = () => {
      looks++;
      return new Promise<string>((resolve) => (answer = resolve));
    };
    const { fairness, promoted } = counting({ every: 2, leastUrgent });
    for (let job = 0; job < 9; job++) fairness.finished();
    expect(looks).toBe(1);
    answer('first');
    await settled();
    expect([looks, promoted]).toEqual([1, ['first']]);
    fairness.finished();
    expect(looks).toBe(2);
  });

  it('reports what failed, and goes on', async () => {
    const failure = new Error('down');
    let looks = 0;
    const leastUrgent = () => (looks++ === 0 ? Promise.reject(failure) : Promise.resolve('next'));
    const { fairness, promoted, errors } = counting({ every: 1, leastUrgent });
    fairness.finished();
    await settled();
    fairness.finished();
    await settled();
    expect([errors, promoted]).toEqual([[failure], ['next']]);
  });

  it('reports what is thrown before there is a promise', async () => {
    const failure = new Error('closed');
    const leastUrgent = () => {
      throw failure;
    };
    const { fairness, errors } = counting({ every: 1, leastUrgent });
    expect(() => fairness.finished()).not.toThrow();
    await settled();
    expect(errors).toEqual([failure]);
  });
});

describe('on BullMQ in Redis', () => {
  let server: RedisServer;
  let queue: Queue;
  let count = 0;

  const leastUrgent = async () => {
    const client = (await (queue.getBackend() as RedisQueueBackend).client) as unknown as ScriptClient;
    return redisLeastUrgent(client, { wait: queue.toKey('wait'), prioritized: queue.toKey('prioritized') });
  };
  const promote = (id: string) => queue.getBackend().changePriority(id, 0, true);

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  beforeEach(() => {
    queue = new Queue(`q${count++}`, { connection: { port: server.port } });
  });
  afterEach(() => queue.close());
  afterAll(() => server?.stop());

  it('finds the oldest of the least urgent, and moves it to the front of all', async () => {
    expect(await leastUrgent()).toBeUndefined();
    const add = async (jobId: string, priority?: number) => void (await queue.add('x', {}, { jobId, priority }));
    await add('n1');
    expect(await leastUrgent()).toBeUndefined();
    await add('low1', 2_097_151);
    await add('mid1', 5);
    await add('low2', 2_097_151);
    await add('n2');
    expect(await leastUrgent()).toBe('low1');
    await promote('low1');
    expect(await leastUrgent()).toBe('low2');

    const order: string[] = [];
    const { host, port } = { host: '127.0.0.1', port: server.port };
    const worker = new Worker(queue.name, async ({ id }) => void order.push(id!), { connection: { host, port } });
    await eventually(() => order.length === 5, { within: 5_000 });
    await worker.close();
    expect(order).toEqual(['low1', 'n1', 'n2', 'mid1', 'low2']);
  });

  it('moves nothing where all are equally urgent, whatever their priority', async () => {
    await queue.addBulk([1, 2, 3].map((n) => ({ name: 'x', data: {}, opts: { jobId: `low${n}`, priority: 7 } })));
    expect(await leastUrgent()).toBeUndefined();
    await queue.add('x', {}, { jobId: 'urgent', priority: 1 });
    expect(await leastUrgent()).toBe('low1');
  });

  it.each([undefined, 10])('50 low jobs are done while others never run out, with every %s', async (every) => {
    const low = Array.from({ length: 50 }, (_, n) => `low${n}`);
    await queue.addBulk(low.map((jobId) => ({ name: 'low', data: {}, opts: { jobId, priority: 9 } })));
    const urgent = (n: number) => ({ name: 'urgent', data: {}, opts: n % 2 ? { priority: 1 } : {} });
    await queue.addBulk(Array.from({ length: 40 }, (_, n) => urgent(n)));

    const errors: unknown[] = [];
    const fairness =
      every === undefined
        ? undefined
        : new Fairness({ every, leastUrgent, promote, onError: (error) => errors.push(error) });
    const done: string[] = [];
    let jobs = 0;
    const worker = new Worker(
      queue.name,
      async ({ name, id }) => {
        if (name === 'low') done.push(id!);
        else await queue.addBulk([urgent(jobs)]);
        jobs++;
        fairness?.finished();
      },
      { connection: { port: server.port }, concurrency: 4 },
    );
    await eventually(() => (every === undefined ? jobs >= 300 : done.length === 50), { within: 15_000 });
    await worker.close();
    if (every === undefined) {
      expect(done).toEqual([]);
    } else {
      expect([done.toSorted(), errors]).toEqual([low.toSorted(), []]);
      expect(done.slice(0, 3)).toEqual(low.slice(0, 3));
      expect(jobs).toBeGreaterThanOrEqual(450);
      expect(jobs).toBeLessThan(650);
    }
  });
});

it('on BullMQ in Postgres the same jobs are found, and moved to the front', async () => {
  const server = await PostgresServer.start();
  const pool = new Pool({ connectionString: server.url, options: '-c search_path=bullmq' });
  pool.setMaxListeners(0);
  const client = await pool.connect();
  await runMigrations(client);
  client.release();
  const queue = new Queue('q', { connection: pool as never }, createPostgresBackend as never);
  const add = async (jobId: string, priority?: number) => void (await queue.add('x', {}, { jobId, priority }));
  const found: (string | undefined)[] = [];
  const find = async () => void found.push(await postgresLeastUrgent(pool, 'q'));

  await find();
  await add('low1', 9);
  await add('low2', 9);
  await find();
  await add('n1');
  await add('mid1', 5);
  await find();
  await queue.getBackend().changePriority('low1', 0, true);
  await find();
  const { rows } = await pool.query<{ id: string }>(
    `SELECT id FROM bullmq.job WHERE state = 'waiting' ORDER BY priority, seq`,
  );
  const plan = await pool.query<Record<string, string>>(
    `EXPLAIN SELECT id FROM bullmq.job WHERE queue = 'q' AND state = 'waiting' ORDER BY priority DESC LIMIT 1`,
  );

  await queue.close();
  await pool.end();
  await server.stop();
  expect(found).toEqual([undefined, undefined, 'low1', 'low2']);
  expect(rows.map(({ id }) => id)).toEqual(['low1', 'n1', 'mid1', 'low2']);
  expect(plan.rows.map((row) => row['QUERY PLAN']).join('\n')).toContain('job_ready_idx');
});
