import { eventually } from '@roost/testing';
import {
  FlowProducer,
  Queue,
  QueueEvents,
  QueueEventsProducer,
  Worker,
  type Processor,
  type WorkerOptions,
} from 'bullmq';
import { QueueClosedError } from '../queue.errors.js';
import { MemoryQueueStore } from '../stores/memory.store.js';
import { SystemQueueClock } from './queue-clock.js';

describe('queues in memory', () => {
  let store: MemoryQueueStore;
  let calls: Record<string, number>;
  let opened: { close(): Promise<unknown> }[];

  /** Counts what is asked of the backend. */
  const factory = ((...args: Parameters<MemoryQueueStore['backendFor']>) =>
    new Proxy(store.backendFor(...args), {
      get(backend, name) {
        const value = Reflect.get(backend, name, backend) as unknown;
        if (typeof value !== 'function') return value;
        calls[String(name)] = (calls[String(name)] ?? 0) + 1;
        return value.bind(backend) as unknown;
      },
    })) as never;
  const keep = <T extends { close(): Promise<unknown> }>(one: T): T => {
    opened.push(one);
    return one;
  };
  const queueOf = (name = 'q', prefix?: string) => keep(new Queue(name, { connection: {}, prefix }, factory));
  const work = (run: Processor | null, options: Partial<WorkerOptions> = {}) =>
    keep(new Worker('q', run, { connection: {}, ...options }, factory));

  beforeEach(() => {
    store = new MemoryQueueStore();
    calls = {};
    opened = [];
  });
  afterEach(async () => {
    jest.useRealTimers();
    for (const one of opened.toReversed()) await one.close();
    await store.close();
  });

  it('is open at once, never in trouble, and has nothing to complain of', async () => {
    let ready = 0;
    store.onReady(() => ready++);
    await store.open();
    expect([store.name, store.trouble, ready, await store.audit()]).toEqual(['memory', undefined, 1, []]);
    expect(store.clock).toBeInstanceOf(SystemQueueClock);
  });

  it('shares no object between producers, handlers and listeners', async () => {
    const data = { list: [1], at: new Date(0) };
    const result = { list: [1] };
    const seen: unknown[] = [];
    const events = keep(new QueueEvents('q', { connection: {} }, factory));
    events.on('completed', ({ returnvalue }) => {
      seen.push(returnvalue);
      (returnvalue as unknown as typeof result).list.push(4);
    });
    const job = await queueOf().add('a', data);
    data.list.push(2);
    work(async (running) => {
      seen.push(structuredClone(running.data));
      (running.data as typeof data).list.push(3);
      return result;
    });
    await eventually(() => expect(seen).toHaveLength(2), { within: 1_000 });
    result.list.push(2);
    const stored = await queueOf().getJob(job.id!);
    expect(seen[0]).toEqual({ list: [1], at: '1970-01-01T00:00:00.000Z' });
    expect([stored!.data, stored!.returnvalue]).toEqual([{ list: [1], at: '1970-01-01T00:00:00.000Z' }, { list: [1] }]);
  });

  it('tells listeners all that happens from the moment on in which they are made', async () => {
    const queue = queueOf();
    const heard: string[] = [];
    await queue.add('before', {});
    const events = keep(new QueueEvents('q', { connection: {} }, factory));
    events.on('added', ({ name }) => heard.push(name));
    events.on('custom' as never, ((args: { text: string }) => heard.push(args.text)) as never);
    await queue.add('after', {});
    const producer = keep(new QueueEventsProducer('q', { connection: {} }, factory));
    await producer.publishEvent({ eventName: 'custom', text: 'mine' });
    await eventually(() => expect(heard).toEqual(['after', 'mine']), { within: 1_000 });
  });

  it('case 6: has nothing for those who come after the end', async () => {
    const queue = queueOf();
    await queue.waitUntilReady();
    const flow = keep(new FlowProducer({ connection: {} }, factory));
    const closed = queueOf('closed');
    await closed.close();
    await expect(closed.add('a', {})).rejects.toThrow(QueueClosedError);
    await queue.add('a', {});
    await store.close();
    await expect(queue.add('a', {})).rejects.toThrow(QueueClosedError);
    await expect(queue.getJobCounts()).rejects.toThrow(QueueClosedError);
    await expect(queue.upsertJobScheduler('a', { every: 5 })).rejects.toThrow(QueueClosedError);
    await expect(flow.add({ name: 'a', queueName: 'q' })).rejects.toThrow(QueueClosedError);
  });

  it('leaves workers and listeners quiet that are closed after the store', async () => {
    const errors: Error[] = [];
    let release: () => void = () => undefined;
    let started = 0;
    const idle = work(async () => undefined);
    const busy = new Worker(
      'busy',
      async () => {
        started++;
        await new Promise<void>((resolve) => (release = resolve));
      },
      { connection: {} },
      factory,
    );
    keep(busy);
    const events = keep(new QueueEvents('q', { connection: {} }, factory));
    for (const one of [idle, busy, events] as NodeJS.EventEmitter[]) one.on('error', (error) => errors.push(error));
    await queueOf('busy').add('a', {});
    await eventually(() => started === 1, { within: 1_000 });
    await store.close();
    release();
    const before = { ...calls };
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect((calls.moveToActive ?? 0) - (before.moveToActive ?? 0)).toBeLessThan(3);
    for (const one of opened.toReversed()) await one.close();
    expect(errors).toEqual([]);
  });

  it('case 13: asks for nothing while as many run as may', async () => {
    const queue = queueOf();
    await queue.setGlobalConcurrency(1);
    const held: (() => void)[] = [];
    const run = () => new Promise<void>((resolve) => held.push(resolve));
    for (let i = 0; i < 3; i++) work(run, { concurrency: 3 });
    await queue.addBulk(Array.from({ length: 4 }, () => ({ name: 'a', data: {} })));
    await eventually(() => held.length === 1, { within: 1_000 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    calls = {};
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(calls).toEqual({});
    await queue.removeGlobalConcurrency();
    await eventually(() => held.length === 4, { within: 1_000 });
    for (const release of held) release();
  });

  it('wakes one worker for one job, and all for many', async () => {
    const queue = queueOf();
    let running = 0;
    let most = 0;
    const run = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 10));
      running--;
    };
    for (let i = 0; i < 5; i++) work(run);
    await new Promise(setImmediate);
    calls = {};
    await queue.add('a', {});
    await eventually(async () => (await queue.getCompletedCount()) === 1, { within: 1_000 });
    expect(calls.moveToActive).toBeLessThanOrEqual(2);
    await queue.addBulk(Array.from({ length: 10 }, () => ({ name: 'a', data: {} })));
    await eventually(async () => (await queue.getCompletedCount()) === 11, { within: 1_000 });
    expect(most).toBe(5);
  });

  it('keeps queues of other prefixes apart, and the children of all', async () => {
    const [a, b] = [queueOf('q', '{one:two}'), queueOf('q')];
    await a.add('a', {});
    expect([await a.count(), await b.count()]).toEqual([1, 0]);
    const flow = keep(new FlowProducer({ connection: {}, prefix: '{one:two}' }, factory));
    const children = [{ name: 'child', queueName: 'kids', opts: { jobId: 'c' }, prefix: 'other' }];
    await flow.add({ name: 'parent', queueName: 'q', opts: { jobId: 'p' }, children } as never);
    const tree = await flow.getFlow({ id: 'p', queueName: 'q', prefix: '{one:two}' });
    expect(tree.children!.map(({ job }) => [job.id, job.prefix, job.queueName])).toEqual([['c', 'other', 'kids']]);
  });

  it('knows its workers and listeners by name', async () => {
    const queue = queueOf();
    const workers = [work(null), work(null, { name: 'mine' })];
    keep(new QueueEvents('q', { connection: {} }, factory));
    expect([await queue.getWorkersCount(), (await queue.getQueueEvents()).length]).toEqual([2, 1]);
    await workers[0]!.close();
    expect((await queue.getWorkers()).map(({ rawname }) => rawname)).toEqual([`bull:${btoa('q')}:w:mine`]);
  });

  it('names the job that waits longest among the least urgent', async () => {
    const queue = queueOf();
    expect(await store.leastUrgent('q')).toBeUndefined();
    for (const name of ['a', 'b']) await queue.add(name, {}, { priority: 5, jobId: name });
    expect(await store.leastUrgent('q')).toBeUndefined(); // none is less urgent
    await queue.add('c', {}, { priority: 2 });
    expect(await store.leastUrgent('q')).toBe('a');
    await queue.remove('a');
    expect(await store.leastUrgent('q')).toBe('b');
    await queue.remove('b');
    await queue.add('d', {});
    expect(await store.leastUrgent('q')).toBe('3');
    expect(await store.leastUrgent('none')).toBeUndefined();
  });

  it('follows fake timers of Jest', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'], now: Date.UTC(2001, 0, 1) });
    const queue = queueOf();
    const ran: string[] = [];
    work(async (job) => void ran.push(job.name));
    await queue.add('late', {}, { delay: 60_000 });
    await jest.advanceTimersByTimeAsync(59_999);
    expect(ran).toEqual([]);
    await jest.advanceTimersByTimeAsync(2);
    expect(ran).toEqual(['late']);
  });

  it('runs thousands of jobs, each once', async () => {
    const queue = queueOf();
    const done = new Set<unknown>();
    let runs = 0;
    await queue.addBulk(Array.from({ length: 2_000 }, (_, i) => ({ name: 'a', data: i })));
    const run = async ({ data }: { data: unknown }) => {
      runs++;
      done.add(data);
    };
    for (let i = 0; i < 3; i++) work(run, { concurrency: 10 });
    await eventually(async () => (await queue.getCompletedCount()) === 2_000, { within: 10_000 });
    expect([runs, done.size]).toEqual([2_000, 2_000]);
  });
});
