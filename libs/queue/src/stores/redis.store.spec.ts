import { connect } from '@roost/redis/testing';
import { eventually, freePort, RedisServer } from '@roost/testing';
import { QueueSetupError } from '../queue.errors.js';
import { RedisQueueStore } from './redis.store.js';
import { Bench, tookMs } from './bullmq.testbed.js';
import { outlivesItsServer } from './outages.testbed.js';

const LOST = /Connection is closed|isn't writeable|timed out|max retries/;

describe('jobs in Redis', () => {
  let server: RedisServer;
  const bench = new Bench();
  beforeAll(async () => void (server = await RedisServer.start({ appendonly: true })));
  afterEach(async () => {
    server.thaw();
    await bench.close();
    if (!server.running) await server.restart();
    await server.command('FLUSHALL');
  });
  afterAll(() => server.stop());

  async function open(url = server.url) {
    const connected = await connect({ url });
    bench.closes(connected.close);
    return bench.open(new RedisQueueStore({ connection: connected.connection, prefix: 'test:queue' }));
  }

  outlivesItsServer({ bench, open, server: () => server, refusal: LOST, hungWithinMs: 1_150 });

  it('case 2: takes the first job at once after boot, runs it, and tells of it', async () => {
    const store = await open();
    expect(store.trouble).toBeUndefined();
    const events = bench.events(store, 'first');
    const done: unknown[] = [];
    events.on('completed', ({ returnvalue }) => done.push(returnvalue));
    await events.waitUntilReady();
    await bench.queue(store, 'first').add('a', { n: 1 });
    bench.worker(store, 'first', async ({ data }: { data: { n: number } }) => data.n + 1);
    await eventually(() => done.length === 1, { within: 3_000 });
    expect(done).toEqual([2]);
    expect(bench.errors).toEqual([]);
  });

  it('shares one client among all that add, and one among all that work', async () => {
    const store = await open();
    const before = await clients();
    for (const name of ['a', 'b', 'c']) await bench.queue(store, name).add('x', {});
    const flows = bench.flows(store);
    await flows.add({ name: 'p', queueName: 'a', children: [{ name: 'c', queueName: 'b' }] });
    expect(await clients()).toBe(before);
    const workers = ['a', 'b', 'c'].map((name) => bench.worker(store, name, async () => 1, { name: 'w1' }));
    await Promise.all(workers.map((worker) => worker.waitUntilReady()));
    await eventually(async () => expect(await clients()).toBe(before + 3), { within: 1_000 });
    const queue = bench.queue(store, 'a');
    await eventually(async () => expect(await queue.getWorkersCount()).toBe(1), { within: 1_000 });
    expect(await server.keys('test:queue:b:*')).toContain('test:queue:b:meta');
  });

  it('case 1, 34: refuses in time and closes at once when Redis was never there', async () => {
    const store = await open(`redis://127.0.0.1:${await freePort()}`);
    const queue = bench.queue(store, 'never');
    const worker = bench.worker(store, 'never', async () => 1);
    const events = bench.events(store, 'never');
    expect(store.trouble).toBe('unreachable');
    for (let i = 0; i < 3; i++) {
      expect(await tookMs(() => expect(queue.add('a', {})).rejects.toThrow(LOST))).toBeLessThan(1_100);
    }
    expect(await tookMs(() => worker.close())).toBeLessThan(700);
    expect(await tookMs(() => Promise.all([events.close(), queue.close()]))).toBeLessThan(300);
    expect(await tookMs(() => store.close())).toBeLessThan(300);
  });

  it('case 3: works from when Redis is there, and says so once each time', async () => {
    await server.kill();
    const store = await open();
    let ready = 0;
    store.onReady(() => void ready++);
    const ran: string[] = [];
    bench.worker(store, 'late', async ({ id }) => ran.push(id!));
    const events = bench.events(store, 'late');
    const done: string[] = [];
    events.on('completed', ({ jobId }) => done.push(jobId));
    const queue = bench.queue(store, 'late');
    await expect(queue.add('a', {})).rejects.toThrow(LOST);
    expect(ready).toBe(0);
    await server.restart();
    await eventually(() => ready === 1, { within: 3_000 });
    await events.waitUntilReady();
    const { id } = await queue.add('a', {});
    await eventually(() => done.length === 1, { within: 3_000 });
    expect([ran, done]).toEqual([[id], [id]]);
    let again = 0;
    store.onReady(() => void again++);
    expect([ready, again]).toEqual([1, 1]);
  });

  it('refuses to boot with a wrong password, and needs no restart when the right one comes', async () => {
    await server.command('CONFIG', 'SET', 'requirepass', 'secret');
    const connected = await connect({ url: server.url.replace('redis://', 'redis://:wrong@') });
    bench.closes(connected.close);
    const store = new RedisQueueStore({ connection: connected.connection });
    await expect(store.open()).rejects.toThrow(QueueSetupError);
    await store.close();
    await server.command('CONFIG', 'SET', 'requirepass', '');
  });

  it('case 44: tells what of the deployment endangers jobs', async () => {
    const store = await open();
    const found = async (...set: string[]) => {
      if (set.length > 0) await server.command('CONFIG', 'SET', ...set);
      return (await store.audit()).map(({ severity, about }) => `${severity} ${about}`);
    };
    expect(await found()).toEqual([]);
    expect(await found('appendonly', 'no')).toEqual(['warn persistence']);
    expect(await found('maxmemory-policy', 'allkeys-lru')).toEqual(['warn eviction', 'warn persistence']);
    expect(await found('maxmemory', '100mb')).toEqual(['refuse eviction', 'warn persistence']);
    expect((await store.audit())[0]!.message).toMatch(/noeviction.*or keep jobs in Postgres \(`backend: 'postgres'`/);
    expect(await found('maxmemory-policy', 'noeviction', 'maxmemory', '0', 'appendonly', 'yes')).toEqual([]);
    await server.command('ACL', 'SETUSER', 'default', '-info');
    expect(await found('maxmemory-policy', 'allkeys-lru')).toEqual([]);
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await server.command('ACL', 'SETUSER', 'default', '+info');
  });

  it('knows the job that waits longest among the least urgent', async () => {
    const store = await open();
    const queue = bench.queue(store, 'fair');
    for (const priority of [1, 5, 5, 3]) await queue.add('x', {}, { priority, jobId: `p${priority}-${Math.random()}` });
    const [oldest] = await queue
      .getJobs(['prioritized'])
      .then((jobs) => jobs.filter((job) => job.priority === 5).toReversed());
    expect(await store.leastUrgent('fair')).toBe(oldest?.id);
    expect(await store.leastUrgent('none')).toBeUndefined();
  });

  async function clients(): Promise<number> {
    const list = String(await server.command('CLIENT', 'LIST'));
    return list.split('\n').filter((line) => line.includes('lib-name=ioredis') || line.includes('name=')).length;
  }
});
