import { DelayedError, RateLimitError, UnrecoverableError, WaitingError } from 'bullmq';
import { look, sleep, type Behaviour } from './bench.js';

/** How workers run jobs, and what becomes of them. */
export const running: Record<string, Behaviour> = {
  'case 10: a job that fails is tried again, later each time': async (bench) => {
    const queue = bench.queue();
    const starts: number[] = [];
    const seen: unknown[] = [];
    bench.worker(async (job) => {
      starts.push(Date.now());
      seen.push([job.attemptsMade, job.attemptsStarted]);
      if (starts.length < 3) throw new Error(`try ${starts.length}`);
      return { ok: true };
    });
    const job = await queue.add('a', {}, { attempts: 3, backoff: { type: 'exponential', delay: 40 } });
    await bench.ended(queue, 1);
    const waited = [starts[1]! - starts[0]! >= 39, starts[2]! - starts[1]! >= 79];
    const { stacktrace } = (await queue.getJob(job.id!))!;
    return { seen, waited, view: await look(queue, job.id), traces: stacktrace!.map((trace) => trace.split('\n')[0]) };
  },

  'a retry without a pause comes after those that wait, or before them': async (bench) => {
    const queue = bench.queue();
    const order: string[] = [];
    await queue.pause();
    await queue.add('a', {}, { attempts: 2 });
    await queue.add('b', {}, { attempts: 2, lifo: true });
    await queue.add('c', {});
    bench.worker(async (job) => {
      order.push(job.name);
      if (job.name !== 'c' && job.attemptsMade === 0) throw new Error('once');
    });
    await queue.resume();
    await bench.ended(queue, 3);
    return order;
  },

  'case 13: no more run at once than may in the whole queue': async (bench) => {
    const queue = bench.queue();
    await queue.setGlobalConcurrency(1);
    let now = 0;
    let most = 0;
    const run = async () => {
      most = Math.max(most, ++now);
      await sleep(5);
      now--;
    };
    bench.worker(run, { concurrency: 3 });
    bench.worker(run, { concurrency: 3 });
    for (let i = 0; i < 6; i++) await queue.add('a', i);
    await bench.ended(queue, 6);
    const limits = [await queue.getGlobalConcurrency(), await queue.isMaxed()];
    await queue.removeGlobalConcurrency();
    return { most, limits, after: await queue.getGlobalConcurrency(), counts: await queue.getJobCounts() };
  },

  'case 14: no more start in a while than a worker may': async (bench) => {
    const queue = bench.queue();
    await queue.addBulk(Array.from({ length: 6 }, (_, i) => ({ name: `${i}`, data: {} })));
    const starts: number[] = [Date.now()]; // the first job may be noted late
    bench.worker(async () => void starts.push(Date.now()), { limiter: { max: 2, duration: 80 }, concurrency: 4 });
    await bench.ended(queue, 6);
    return { slow: starts[6]! - starts[0]! >= 120, count: starts.length };
  },

  'no more start in a while than may in the whole queue': async (bench) => {
    const queue = bench.queue();
    await queue.setGlobalRateLimit(1, 60);
    await queue.addBulk(Array.from({ length: 3 }, (_, i) => ({ name: `${i}`, data: {} })));
    const starts: number[] = [Date.now()];
    bench.worker(async () => void starts.push(Date.now()));
    await bench.ended(queue, 3);
    const limit = await queue.getGlobalRateLimit();
    await queue.removeGlobalRateLimit();
    return { slow: starts[3]! - starts[0]! >= 90, limit, after: await queue.getGlobalRateLimit() };
  },

  'a worker that is told to slow down gives its job back': async (bench) => {
    const queue = bench.queue();
    const seen: unknown[] = [];
    const worker = bench.worker(
      async (job) => {
        seen.push([job.name, job.attemptsMade, job.attemptsStarted]);
        if (seen.length > 1) return;
        await worker.rateLimit(50);
        throw new RateLimitError();
      },
      { limiter: { max: 100, duration: 1_000 } },
    );
    const jobs = await queue.addBulk(['a', 'b'].map((name) => ({ name, data: {} })));
    await bench.ended(queue, 2);
    await queue.rateLimit(60_000);
    const limited = (await queue.getRateLimitTtl()) > 50_000;
    const lifted = [await queue.removeRateLimitKey(), await queue.getRateLimitTtl()];
    return { seen, limited, lifted, view: await look(queue, jobs[0]!.id), errors: bench.errors };
  },

  'case 24: what must not be tried again is not': async (bench) => {
    const queue = bench.queue();
    let calls = 0;
    bench.worker(async () => {
      calls++;
      throw new UnrecoverableError('never');
    });
    const job = await queue.add('a', {}, { attempts: 5, backoff: 10 });
    await bench.ended(queue, 1);
    return { calls, view: await look(queue, job.id) };
  },

  'case 25: whatever is thrown or returned': async (bench) => {
    const queue = bench.queue();
    bench.worker(async (job) => {
      const text: unknown = 'str';
      if (job.name === 'string') throw text;
      if (job.name === 'empty') throw new Error('');
      return { undefined, null: null, zero: 0, false: false, text: 'x', list: [1] }[job.name];
    });
    const names = ['string', 'empty', 'undefined', 'null', 'zero', 'false', 'text', 'list'];
    const jobs = await queue.addBulk(names.map((name) => ({ name, data: {} })));
    await bench.ended(queue, names.length);
    return Promise.all(jobs.map(({ id }) => look(queue, id)));
  },

  'case 26: a handler may put its job off, without counting it': async (bench) => {
    const queue = bench.queue();
    const seen: unknown[] = [];
    bench.worker(async (job, token) => {
      seen.push([job.attemptsMade, job.attemptsStarted]);
      if (seen.length > 1) return 'done';
      await job.moveToDelayed(Date.now() + 40, token);
      throw new DelayedError();
    });
    const job = await queue.add('a', {});
    await bench.ended(queue, 1);
    return { seen, view: await look(queue, job.id) };
  },

  'a handler may give its job back': async (bench) => {
    const queue = bench.queue();
    const seen: string[] = [];
    const back = new Set<string>();
    await queue.pause();
    for (const name of ['a', 'b', 'c']) await queue.add(name, {}, name === 'a' ? {} : { priority: 2 });
    bench.worker(async (job, token) => {
      seen.push(job.name);
      if (back.has(job.name)) return;
      back.add(job.name);
      await job.moveToWait(token);
      throw new WaitingError();
    });
    await queue.resume();
    await bench.ended(queue, 3);
    return seen;
  },
};
