import { failure, look, until, type Behaviour } from './bench.js';

/** How jobs come into a queue, and how they wait there. */
export const adding: Record<string, Behaviour> = {
  'a job is what it was added as': async (bench) => {
    const queue = bench.queue();
    const data = { text: 'ü–✓"\\', nested: [1, { a: null }, 'x'], none: undefined };
    const first = await queue.add('first', data, { attempts: 3, backoff: 50, removeOnFail: 5, keepLogs: 2 });
    const second = await queue.add('second', undefined);
    const stored = await queue.getJob(first.id!);
    const { attempts, backoff, removeOnFail, keepLogs } = stored!.opts;
    const opts = { attempts, backoff, removeOnFail, keepLogs };
    return [await look(queue, first.id), await look(queue, second.id), opts, await queue.getJobCounts()];
  },

  'case 11: by priority, and none is the most urgent': async (bench) => {
    const queue = bench.queue();
    await queue.pause();
    for (const [name, priority] of [
      ['a', 3],
      ['b', 1],
      ['none', 0],
      ['c', 2],
      ['d', 1],
    ] as const) {
      await queue.add(name, {}, priority ? { priority } : {});
    }
    const counts = [await queue.getJobCounts(), await queue.getCountsPerPriority([0, 1, 2, 3])];
    const ranges = [await namesOf(queue.getPrioritized()), await namesOf(queue.getJobs('prioritized', 0, 1, false))];
    const order: string[] = [];
    bench.worker(async (job) => void order.push(job.name));
    await queue.resume();
    await until(() => order.length === 5);
    return { counts, ranges, order };
  },

  'case 12: last in, first out': async (bench) => {
    const queue = bench.queue();
    await queue.pause();
    for (const name of ['a', 'b', 'c']) await queue.add(name, {}, { lifo: true });
    await queue.add('fifo', {});
    const order: string[] = [];
    bench.worker(async (job) => void order.push(job.name));
    await queue.resume();
    await until(() => order.length === 4);
    return order;
  },

  'case 47: ranges of jobs from either end, and counts while paused': async (bench) => {
    const queue = bench.queue();
    const bulk = await queue.addBulk(Array.from({ length: 5 }, (_, i) => ({ name: `j${i}`, data: i })));
    const ranges: unknown[] = [bulk.map(({ id }) => id)];
    for (const asc of [true, false]) {
      for (const [start, end] of [
        [0, 2],
        [1, 3],
        [0, -1],
        [2, -1],
        [3, 9],
        [7, 9],
        [0, 0],
      ] as const) {
        ranges.push([asc, start, end, await namesOf(queue.getJobs(['waiting'], start, end, asc))]);
      }
    }
    await queue.add('late', {}, { delay: 60_000 });
    ranges.push(
      await namesOf(queue.getJobs(['waiting', 'delayed', 'wait'], 0, 10, true)),
      await namesOf(queue.getWaiting(1)),
    );
    await queue.pause();
    ranges.push(
      await queue.getJobCounts(),
      await queue.count(),
      await queue.isPaused(),
      (await queue.getMeta()).concurrency ?? null,
    );
    await queue.resume();
    ranges.push(await queue.getJobCounts('waiting', 'delayed'), await queue.isPaused());
    return ranges;
  },

  'delayed jobs run when they are due, in the order of that': async (bench) => {
    const queue = bench.queue();
    const ran: { name: string; early: boolean }[] = [];
    const worker = bench.worker(async (job) => {
      ran.push({ name: job.name, early: Date.now() < job.timestamp + (job.opts.delay ?? 0) });
    });
    await worker.waitUntilReady();
    await queue.addBulk([
      { name: 'third', data: {}, opts: { delay: 140 } },
      { name: 'first', data: {}, opts: { delay: 60 } },
      { name: 'second', data: {}, opts: { delay: 100 } },
      { name: 'now', data: {} },
    ]);
    const delayed = await namesOf(queue.getDelayed());
    await until(() => ran.length === 4);
    return { delayed, ran };
  },

  'ranges of jobs that are counted from the end': async (bench) => {
    const queue = bench.queue();
    await queue.addBulk(Array.from({ length: 5 }, (_, i) => ({ name: `j${i}`, data: i })));
    const ranges = [];
    for (const asc of [true, false]) ranges.push(await namesOf(queue.getJobs(['waiting'], -2, -1, asc)));
    return ranges;
  },

  'a delayed job is promoted, delayed again, and knows its new delay': async (bench) => {
    const queue = bench.queue();
    const [a, b, c] = await queue.addBulk(['a', 'b', 'c'].map((name) => ({ name, data: {}, opts: { delay: 60_000 } })));
    await a!.promote();
    await b!.changeDelay(30_000);
    const order = await namesOf(queue.getDelayed());
    const due = await Promise.all([120_000, 1_000].map((ms) => queue.getDelayedCount(Date.now() + ms)));
    const errors = [await failure(a!.promote()), await failure(a!.changeDelay(5))];
    const views = [await look(queue, a!.id), await look(queue, b!.id)];
    await queue.promoteJobs({ count: 10 });
    return { views, errors, due, order: order.toSorted(), counts: await queue.getJobCounts(), c: await c!.isWaiting() };
  },

  'priorities change while a job waits': async (bench) => {
    const queue = bench.queue();
    await queue.pause();
    const jobs = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) jobs.push(await queue.add(name, {}, { priority: 5 }));
    await jobs[1]!.changePriority({ priority: 1 });
    await jobs[2]!.changePriority({ priority: 0 });
    await jobs[3]!.changePriority({ priority: 5, lifo: true });
    await jobs[4]!.changePriority({ lifo: true });
    const views = await Promise.all(jobs.map(({ id }) => look(queue, id)));
    const order: string[] = [];
    bench.worker(async (job) => void order.push(job.name));
    await queue.resume();
    await until(() => order.length === 5);
    return { views, order };
  },

  'case 17: an id is used once': async (bench) => {
    const queue = bench.queue();
    const events = await collect(bench, 'duplicated');
    await queue.add('a', 1, { jobId: 'mine' });
    await queue.add('b', 2, { jobId: 'mine' });
    bench.worker(async (job) => job.data as unknown);
    await bench.ended(queue, 1);
    const again = await queue.add('c', 3, { jobId: 'mine' });
    await until(() => events.length === 2);
    const errors = [
      await failure(queue.add('x', 1, { jobId: '7' })),
      await failure(queue.add('x', 1, { jobId: 'a:b' })),
    ];
    return { id: again.id, view: await look(queue, 'mine'), counts: await queue.getJobCounts(), events, errors };
  },

  'what cannot be done says why': async (bench) => {
    const queue = bench.queue();
    const job = await queue.add('a', {});
    const ghost = await queue.add('b', {});
    await ghost.remove();
    return {
      errors: [
        await failure(job.promote()),
        await failure(job.retry()),
        await failure(job.changeDelay(5)),
        await failure(job.moveToCompleted('x', 'token', false)),
        await failure(job.moveToFailed(new Error('x'), 'token')),
        await failure(ghost.promote()),
        await failure(ghost.retry()),
        await failure(ghost.changeDelay(5)),
        await failure(ghost.changePriority({ priority: 2 })),
        await failure(ghost.updateData({})),
        await failure(ghost.updateProgress(5)),
        await failure(ghost.log('row')),
        await failure(ghost.moveToCompleted('x', 'token', false)),
        await failure(ghost.moveToDelayed(Date.now() + 50, 'token')),
        await failure(ghost.moveToWaitingChildren('token')),
        await failure(queue.add('c', {}, { parent: { id: 'nobody', queue: queue.qualifiedName } })),
      ],
      removed: await queue.remove('nobody'),
      state: await queue.getJobState(ghost.id!),
      found: (await queue.getJob(ghost.id!)) ?? null,
    };
  },

  'data, progress and logs of a job change': async (bench) => {
    const queue = bench.queue();
    const job = await queue.add('a', { old: true }, { keepLogs: 3 });
    await job.updateData({ new: [1] });
    await job.updateProgress({ step: 2 });
    const counts = [];
    for (let i = 0; i < 5; i++) counts.push(await job.log(`row ${i}`));
    counts.push(await queue.addJobLog(job.id!, 'row 5'));
    const logs = [
      await queue.getJobLogs(job.id!),
      await queue.getJobLogs(job.id!, 0, 1),
      await queue.getJobLogs(job.id!, 0, 1, false),
      await queue.getJobLogs(job.id!, 1, -1, false),
    ];
    await job.clearLogs(1);
    logs.push(await queue.getJobLogs(job.id!));
    await job.clearLogs();
    logs.push(await queue.getJobLogs(job.id!));
    await queue.updateJobProgress(job.id!, 55);
    return { counts, logs, view: await look(queue, job.id) };
  },
};

async function namesOf(jobs: Promise<{ name: string }[]>): Promise<string[]> {
  return (await jobs).map(({ name }) => name);
}

async function collect(bench: Parameters<Behaviour>[0], name: 'duplicated'): Promise<unknown[]> {
  const heard: unknown[] = [];
  bench.events().on(name, (args) => heard.push(args));
  return heard;
}
