import { failure, look, sleep, until, type Behaviour } from './bench.js';

/** Pausing, cleaning and taking away. */
export const maintenance: Record<string, Behaviour> = {
  'nothing runs while a queue is paused': async (bench) => {
    const queue = bench.queue();
    const ran: string[] = [];
    bench.worker(async (job) => void ran.push(job.name));
    await queue.pause();
    await queue.add('a', {});
    await queue.add('b', {}, { priority: 1 });
    await sleep(20);
    const paused = [[...ran], await queue.getWaitingCount(), await queue.isPaused(), await queue.isMaxed()];
    await queue.add('c', {}, { delay: 20 });
    await queue.resume();
    await bench.ended(queue, 3);
    return { paused, ran: ran.toSorted(), counts: await queue.getJobCounts() };
  },

  'a worker pauses and goes on': async (bench) => {
    const queue = bench.queue();
    const ran: string[] = [];
    const worker = bench.worker(async (job) => void ran.push(job.name));
    await worker.waitUntilReady();
    await worker.pause();
    await queue.add('a', {});
    await sleep(30);
    const while_ = [[...ran], worker.isPaused(), await queue.getJobCounts()];
    await worker.resume();
    await bench.ended(queue, 1);
    return { while: while_, ran };
  },

  'case 35: what is added while a worker closes is there, and what runs ends': async (bench) => {
    const queue = bench.queue();
    let started = false;
    const worker = bench.worker(async () => {
      started = true;
      await sleep(40);
      await queue.add('child', {});
      return 'ended';
    });
    const job = await queue.add('a', {});
    await until(() => started);
    await worker.close();
    return { view: await look(queue, job.id), counts: await queue.getJobCounts() };
  },

  'all that waits is drained': async (bench) => {
    const queue = bench.queue();
    const fill = async () => {
      await queue.add('a', {});
      await queue.add('b', {}, { priority: 1 });
      await queue.add('c', {}, { delay: 60_000 });
    };
    await fill();
    await queue.drain();
    const counts = [await queue.getJobCounts()];
    await fill();
    await queue.drain(true);
    counts.push(await queue.getJobCounts());
    return counts;
  },

  'old jobs are cleaned away, state by state': async (bench) => {
    const queue = bench.queue();
    const worker = bench.worker(async (job) => {
      if (job.name === 'bad') throw new Error('no');
    });
    await queue.addBulk(['a', 'b', 'c', 'bad'].map((name) => ({ name, data: {} })));
    await bench.ended(queue, 4);
    await worker.close();
    await queue.addBulk(['w1', 'w2', 'w3'].map((name) => ({ name, data: {} })));
    await queue.add('late', {}, { delay: 60_000 });
    await queue.add('urgent', {}, { priority: 2 });
    const cleaned: unknown[] = [await queue.clean(60_000, 0, 'completed')];
    for (const type of ['completed', 'failed', 'wait', 'delayed', 'prioritized', 'active'] as const) {
      cleaned.push([type, (await queue.clean(-1_000, 2, type)).toSorted(), await queue.getJobCounts()]);
    }
    cleaned.push(await queue.clean(-1_000, 0, 'completed'), await queue.getJobCounts());
    return cleaned;
  },

  'a queue is taken away with all it has': async (bench) => {
    const queue = bench.queue();
    await queue.setGlobalConcurrency(5);
    await queue.addBulk(['a', 'b', 'c'].map((name) => ({ name, data: {} })));
    await queue.add('late', {}, { delay: 60_000, deduplication: { id: 'd' } });
    await queue.upsertJobScheduler('year', { pattern: '0 0 0 1 1 *' });
    const worker = bench.worker(null);
    const job = (await worker.getNextJob('token'))!;
    const errors = [await failure(queue.obliterate())];
    const after = [await queue.isPaused()];
    await queue.obliterate({ force: true });
    errors.push(await failure(job.moveToCompleted('x', 'token', false)));
    after.push(await queue.isPaused());
    const empty = [await queue.getJobCounts(), await queue.getJobSchedulersCount(), await queue.getGlobalConcurrency()];
    const id = (await queue.add('again', {}, { deduplication: { id: 'd' } })).id;
    return { errors, after, empty, id };
  },

  'what is kept of a queue itself': async (bench) => {
    const queue = bench.queue();
    await queue.waitUntilReady();
    await until(async () => Object.keys(await queue.getMeta()).length > 1);
    const { version: _, ...meta } = await queue.getMeta();
    await queue.setGlobalConcurrency(4);
    await queue.setGlobalRateLimit(10, 1_000);
    const limits = [await queue.getGlobalConcurrency(), await queue.getGlobalRateLimit()];
    await queue.removeGlobalConcurrency();
    await queue.removeGlobalRateLimit();
    limits.push(await queue.getGlobalConcurrency(), await queue.getGlobalRateLimit());
    return { meta, limits, maxed: await queue.isMaxed(), orphans: await queue.removeOrphanedJobs() };
  },

  'events are trimmed': async (bench) => {
    const queue = bench.queue();
    for (let i = 0; i < 3; i++) await queue.add('a', {});
    await queue.trimEvents(0);
    const heard: string[] = [];
    bench.events().on('added', ({ jobId }) => heard.push(jobId));
    await queue.add('b', {});
    await until(() => heard.includes('4'));
    return heard;
  },

  'jobs leave: by hand, and with the worker that has them': async (bench) => {
    const queue = bench.queue();
    const [a, b] = [await queue.add('a', {}), await queue.add('b', {}, { delay: 60_000 })];
    const c = await queue.add('c', {}, { priority: 2 });
    await a.remove();
    await b.remove();
    const removed: unknown[] = [
      await queue.remove(c.id!),
      await queue.getJobCounts(),
      (await queue.getJob(a.id!)) ?? null,
    ];
    const worker = bench.worker(null);
    const d = await queue.add('d', {});
    await worker.getNextJob('token');
    removed.push(await queue.remove(d.id!), (await failure(d.remove())).replace(/\d+/, 'n'));
    return removed;
  },
};
