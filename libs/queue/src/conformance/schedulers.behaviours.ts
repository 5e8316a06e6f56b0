import type { JobSchedulerJobOptions, JobSchedulerJson, Queue } from 'bullmq';
import { failure, look, until, type Behaviour } from './bench.js';

/** Jobs that come again and again. */
export const schedulers: Record<string, Behaviour> = {
  'every so often, until it is removed': async (bench) => {
    const queue = bench.queue();
    const runs: unknown[] = [];
    const first = await queue.upsertJobScheduler('beat', { every: 150 }, { name: 'tick', data: { n: 1 } });
    const declared = await describe(queue);
    const worker = bench.worker(async (job) => void runs.push([job.name, job.data, job.id!.split(':').length]));
    await until(() => runs.length >= 3);
    const removed = [await queue.removeJobScheduler('beat'), await queue.removeJobScheduler('beat')];
    await worker.close();
    const { waiting, delayed } = await queue.getJobCounts('waiting', 'delayed');
    const gap = ticks(await queue.getCompleted());
    return { first: first!.name, declared, runs: runs.slice(0, 3), removed, left: waiting! + delayed!, gap };
  },

  'by a pattern, declared, changed and read': async (bench) => {
    const queue = bench.queue();
    const yearly = { pattern: '0 0 0 1 1 *', tz: 'Europe/Berlin' };
    const first = await queue.upsertJobScheduler('year', yearly, {
      name: 'happy',
      data: { a: 1 },
      opts: { priority: 2 },
    });
    const seen: unknown[] = [await describe(queue), withoutDelay(await look(queue, first!.id))];
    const changed = { pattern: '0 30 12 2 1 *', tz: 'UTC', limit: 5 };
    const second = await queue.upsertJobScheduler('year', changed, { name: 'late', opts: { attempts: 3 } });
    await queue.upsertJobScheduler('other', { pattern: '0 0 0 3 1 *', tz: 'UTC' });
    seen.push(await describe(queue), await queue.getJobSchedulersCount(), await queue.getJobCounts());
    seen.push(first!.id, second!.id, (await queue.getJob(first!.id!)) ?? null);
    const { repeat, attempts, jobId } = (await queue.getJob(second!.id!))!.opts as JobSchedulerJobOptions;
    seen.push({
      attempts,
      jobId,
      pattern: repeat!.pattern,
      tz: repeat!.tz,
      limit: repeat!.limit,
      count: repeat!.count,
    });
    seen.push(
      (await failure(queue.remove(second!.id!))).split('. ')[0],
      (await queue.getJobScheduler('nobody')) ?? null,
    );
    await queue.drain(true);
    seen.push(await queue.getJobCounts(), await queue.clean(-60_000, 10, 'delayed'));
    seen.push(await queue.removeJobScheduler('year'), await queue.getJobCounts(), await queue.getJobSchedulersCount());
    return seen;
  },

  'case 41: removed and declared again at once, many times': async (bench) => {
    const queue = bench.queue();
    let runs = 0;
    bench.worker(async () => void runs++);
    await queue.upsertJobScheduler('beat', { every: 100 });
    for (let i = 0; i < 50; i++) {
      await queue.removeJobScheduler('beat');
      await queue.upsertJobScheduler('beat', { every: 100 });
    }
    let delayed: number | undefined;
    await until(async () => {
      const counts = await queue.getJobCounts();
      delayed = counts.delayed;
      return counts.active! + counts.waiting! === 0;
    });
    const before = runs;
    await until(() => runs > before);
    return { delayed, schedulers: await queue.getJobSchedulersCount() };
  },

  'declared twice, alike or with another interval': async (bench) => {
    const queue = bench.queue();
    const seen: unknown[] = [];
    const startDate = Date.UTC(2090, 0, 1, 0, 0, 7);
    for (const [every, offset] of [
      [60_000, undefined],
      [60_000, undefined],
      [90_000, undefined],
      [90_000, 500],
    ] as const) {
      await queue.upsertJobScheduler('beat', { every, offset, startDate }, { data: { every } });
      seen.push(await describe(queue), await queue.getJobCounts());
    }
    seen.push(await failure(queue.upsertJobScheduler('bad', { every: 5, pattern: '* * * * *' })));
    seen.push(await failure(queue.upsertJobScheduler('bad', {})));
    seen.push(await failure(queue.upsertJobScheduler('bad', { every: 5, endDate: 1 })));
    return { seen, count: await queue.getJobSchedulersCount() };
  },

  'only so often': async (bench) => {
    const queue = bench.queue();
    await queue.upsertJobScheduler('beat', { every: 30, limit: 2 }, { data: 1 });
    bench.worker(async () => 'ok');
    await bench.ended(queue, 2);
    await until(async () => (await queue.count()) === 0);
    return { counts: await queue.getJobCounts(), scheduler: (await describe(queue)) as object };
  },

  'at once, and then by the pattern': async (bench) => {
    const queue = bench.queue();
    const job = await queue.upsertJobScheduler('year', { pattern: '0 0 0 1 1 *', tz: 'UTC', immediately: true });
    bench.worker(async () => 'ok');
    await bench.ended(queue, 1);
    await until(async () => (await queue.getDelayedCount()) === 1);
    const [next] = await queue.getDelayed();
    return [job!.name, next!.id, await queue.getJobCounts(), await describe(queue)];
  },

  'from a date on, with priority, in the order of their next': async (bench) => {
    const queue = bench.queue();
    const startDate = Date.UTC(2090, 0, 1);
    await queue.upsertJobScheduler('b', { every: 1_000, startDate: startDate + 5_000 }, { opts: { priority: 2 } });
    await queue.upsertJobScheduler('a', { every: 1_000, startDate });
    const orders = await Promise.all([true, false].map((asc) => queue.getJobSchedulers(0, 9, asc)));
    const page = await queue.getJobSchedulers(1, 1, true);
    return [
      orders.map((list) => list.map(({ key, next }) => [key, next])),
      page.map(({ key }) => key),
      await describe(queue),
    ];
  },
};

/** The schedulers of a queue; when one that runs every so often is due next is left out. */
async function describe(queue: Queue): Promise<unknown> {
  const all = await queue.getJobSchedulers(0, -1, true);
  return all.map(({ next, offset, ...rest }: JobSchedulerJson & { offset?: number }) => {
    return rest.every && !rest.startDate ? { ...rest, hasOffset: offset !== undefined } : { ...rest, next, offset };
  });
}

/** Whether runs are at least the interval apart by the times in their ids. */
function ticks(jobs: { id?: string }[]): unknown {
  const times = jobs.map(({ id }) => Number(id!.split(':').at(-1))).toSorted((a, b) => a - b);
  return times.every((time, i) => i < 2 || (time - times[i - 1]!) % 150 === 0);
}

function withoutDelay(view: unknown) {
  return { ...(view as object), delay: undefined };
}
