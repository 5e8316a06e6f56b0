import { Queue, QueueEvents, Worker, type Processor, type WorkerOptions } from 'bullmq';
import { MemoryQueueStore } from '../stores/memory.store.js';
import { FakeQueueClock } from './queue-clock.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe('queues in memory by a fake clock', () => {
  let clock: FakeQueueClock;
  let store: MemoryQueueStore;
  let opened: { close(): Promise<unknown> }[];

  function open(startMs: number) {
    clock = new FakeQueueClock(startMs);
    store = new MemoryQueueStore({ clock });
    opened = [];
    const factory = (...args: Parameters<MemoryQueueStore['backendFor']>) => store.backendFor(...args);
    const queue = new Queue('q', { connection: {} }, factory as never);
    const work = (run: Processor, options: Partial<WorkerOptions> = {}) => {
      const worker = new Worker('q', run, { connection: {}, ...options }, factory as never);
      opened.push(worker);
      return worker;
    };
    const events = new QueueEvents('q', { connection: {} }, factory as never);
    opened.push(queue, events);
    return { queue, work, events };
  }

  afterEach(async () => {
    for (const one of opened.toReversed()) await one.close();
    await store.close();
  });

  const years = [
    ['long ago', Date.UTC(2001, 5, 1)],
    ['far ahead', Date.UTC(2090, 5, 1)],
  ] as const;

  it.each(years)('runs delayed jobs when they are due (%s)', async (_, start) => {
    const { queue, work, events } = open(start);
    const ran: unknown[] = [];
    const due: number[] = [];
    events.on('delayed', ({ delay }) => due.push(delay));
    work(async (job) => void ran.push([job.name, clock.now() - start, job.processedOn! - start]));
    const job = await queue.add('a', {}, { delay: HOUR_MS });
    await queue.add('b', {}, { delay: 2 * HOUR_MS, priority: 1 });
    await clock.advance(HOUR_MS - 1);
    expect(ran).toEqual([]);
    await clock.advance(1);
    expect(ran).toEqual([['a', HOUR_MS, HOUR_MS]]);
    await clock.advance(DAY_MS);
    expect(ran.slice(1)).toEqual([['b', 2 * HOUR_MS, 2 * HOUR_MS]]);
    expect(due).toEqual([start + HOUR_MS, start + 2 * HOUR_MS]);
    expect((await queue.getJob(job.id!))!.timestamp).toBe(start);
    expect((await queue.getJob(job.id!))!.finishedOn).toBe(start + HOUR_MS);
  });

  it.each(years)('case 10: waits between attempts (%s)', async (_, start) => {
    const { queue, work } = open(start);
    const at: number[] = [];
    work(async () => {
      at.push(clock.now() - start);
      throw new Error('no');
    });
    await queue.add('a', {}, { attempts: 3, backoff: { type: 'exponential', delay: HOUR_MS } });
    await clock.advance(DAY_MS);
    expect(at).toEqual([0, HOUR_MS, 3 * HOUR_MS]);
    expect(await queue.getFailedCount()).toBe(1);
  });

  it.each(years)('case 14: lets so many start in a while (%s)', async (_, start) => {
    const { queue, work } = open(start);
    const at: number[] = [];
    work(async () => void at.push(clock.now() - start), { limiter: { max: 2, duration: HOUR_MS }, concurrency: 5 });
    await queue.addBulk(Array.from({ length: 5 }, () => ({ name: 'a', data: {} })));
    await clock.advance(HOUR_MS - 1);
    expect(at).toEqual([0, 0]);
    expect(await queue.getRateLimitTtl()).toBe(1);
    await clock.advance(2 * HOUR_MS);
    expect(at).toEqual([0, 0, HOUR_MS, HOUR_MS, 2 * HOUR_MS]);
  });

  it.each(years)('runs by a cron pattern (%s)', async (_, start) => {
    const { queue, work } = open(start);
    const at: string[] = [];
    work(async () => void at.push(new Date(clock.now()).toISOString().slice(5)));
    await queue.upsertJobScheduler('nightly', { pattern: '0 0 3 * * *', tz: 'UTC' });
    expect((await queue.getJobScheduler('nightly'))!.next).toBe(start + 3 * HOUR_MS);
    await clock.advance(3 * DAY_MS);
    expect(at).toEqual(['06-01T03:00:00.000Z', '06-02T03:00:00.000Z', '06-03T03:00:00.000Z']);
    const [next] = await queue.getDelayed();
    expect([next!.id, next!.delay]).toEqual([`repeat:nightly:${start + 3 * DAY_MS + 3 * HOUR_MS}`, DAY_MS]);
    await queue.upsertJobScheduler('nightly', { pattern: '0 0 4 * * *', tz: 'UTC' });
    await clock.advance(DAY_MS);
    expect(at.slice(3)).toEqual(['06-04T04:00:00.000Z']);
    expect(await queue.getDelayedCount()).toBe(1);
  });

  it('goes on when an iteration is run before its time', async () => {
    const { queue, work } = open(Date.UTC(2001, 5, 1));
    const at: number[] = [];
    await queue.upsertJobScheduler('nightly', { pattern: '0 0 3 * * *', tz: 'UTC' });
    const [first] = await queue.getDelayed();
    await first!.promote();
    work(async () => void at.push(new Date(clock.now()).getUTCDate()));
    await clock.advance(3 * DAY_MS);
    expect(at).toEqual([1, 2, 3]);
  });

  it('runs at once, and then by the pattern', async () => {
    const start = Date.UTC(2001, 5, 1);
    const { queue, work } = open(start);
    const at: number[] = [];
    work(async () => void at.push(clock.now() - start));
    await queue.upsertJobScheduler('nightly', { pattern: '0 0 3 * * *', tz: 'UTC', immediately: true });
    await clock.advance(4 * HOUR_MS);
    expect(at).toEqual([0, 3 * HOUR_MS]);
  });

  it.each(years)('runs every so often (%s)', async (_, start) => {
    const { queue, work } = open(start);
    const at: number[] = [];
    work(async () => void at.push(clock.now() - start));
    await queue.upsertJobScheduler('beat', { every: HOUR_MS });
    await clock.advance(3 * HOUR_MS);
    expect(at).toEqual([0, HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS]);
    await queue.removeJobScheduler('beat');
    await clock.advance(3 * HOUR_MS);
    expect(at).toHaveLength(4);
  });

  it.each([
    ['2027-03-27T12:00:00Z', '2027-03-28T01:30:00.000Z'],
    ['2026-10-24T12:00:00Z', '2026-10-25T00:30:00.000Z'],
  ])('case 43: runs once in the night when the clocks change (%s)', async (start, expected) => {
    const { queue, work } = open(Date.parse(start));
    const at: string[] = [];
    work(async () => void at.push(new Date(clock.now()).toISOString()));
    await queue.upsertJobScheduler('nightly', { pattern: '30 2 * * *', tz: 'Europe/Berlin' });
    await clock.advance(DAY_MS);
    expect(at).toEqual([expected]);
  });

  it('ends a schedule with its end', async () => {
    const start = Date.UTC(2090, 5, 1);
    const { queue, work } = open(start);
    let runs = 0;
    work(async () => void runs++);
    await queue.upsertJobScheduler('beat', { every: HOUR_MS, endDate: start + 2.5 * HOUR_MS });
    await clock.advance(DAY_MS);
    expect([runs, await queue.count()]).toEqual([4, 0]); // the last was declared before the end
  });

  it.each(years)('case 16: keeps deduplication ids for their time (%s)', async (_, start) => {
    const { queue } = open(start);
    const add = async () => (await queue.add('a', {}, { deduplication: { id: 'd', ttl: HOUR_MS } })).id;
    const ids = [await add(), await add()];
    await clock.advance(HOUR_MS - 1);
    ids.push(await add());
    await clock.advance(1);
    ids.push(await add());
    expect(ids).toEqual(['1', '1', '1', '4']);
  });

  it.each(years)('cleans by its own time (%s)', async (_, start) => {
    const { queue, work } = open(start);
    work(async () => 'ok');
    await queue.add('old', {});
    await clock.advance(2 * HOUR_MS);
    await queue.add('new', {});
    await clock.advance(1);
    expect(await queue.clean(HOUR_MS, 10)).toEqual(['1']);
    expect((await queue.getCompleted()).map(({ name }) => name)).toEqual(['new']);
    await clock.advance(HOUR_MS);
    await queue.add('keeps', {}, { removeOnComplete: { age: 60 } });
    await clock.advance(0);
    expect((await queue.getCompleted()).map(({ name }) => name)).toEqual(['keeps']);
  });

  it('crosses months, day by day', async () => {
    const { queue, work } = open(Date.UTC(2027, 0, 1));
    let runs = 0;
    work(async () => void runs++);
    await queue.upsertJobScheduler('daily', { pattern: '0 0 9 * * *', tz: 'UTC' });
    await clock.advance(100 * DAY_MS);
    expect(runs).toBe(100);
  });
});
