import { DelayedError, RateLimitError, UnrecoverableError, WaitingError, type Job } from 'bullmq';
import { failure, look, sleep, until, type Behaviour } from './bench.js';

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
    const starts: number[] = [];
    bench.worker(async () => void starts.push(Date.now()), { limiter: { max: 2, duration: 80 }, concurrency: 4 });
    await bench.ended(queue, 6);
    return { slow: starts[5]! - starts[0]! >= 120, count: starts.length };
  },

  'no more start in a while than may in the whole queue': async (bench) => {
    const queue = bench.queue();
    await queue.setGlobalRateLimit(1, 60);
    await queue.addBulk(Array.from({ length: 3 }, (_, i) => ({ name: `${i}`, data: {} })));
    const starts: number[] = [];
    bench.worker(async () => void starts.push(Date.now()));
    await bench.ended(queue, 3);
    const limit = await queue.getGlobalRateLimit();
    await queue.removeGlobalRateLimit();
    return { slow: starts[2]! - starts[0]! >= 90, limit, after: await queue.getGlobalRateLimit() };
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

  'case 28: so many ended jobs are kept': async (bench) => {
    const queue = bench.queue();
    const events = bench.events();
    let ended = 0;
    events.on('completed', () => ended++);
    bench.worker(async () => 'ok', { removeOnComplete: { count: 4 } });
    const kept: unknown[] = [];
    const rounds = [{ count: 2 }, 1, true, false, undefined, { age: 60 }, { age: 60, count: 3 }];
    for (const removeOnComplete of rounds) {
      const before = ended;
      for (let i = 0; i < 6; i++) await queue.add('a', {}, { removeOnComplete });
      await until(() => ended >= before + 6);
      kept.push(await queue.getCompletedCount());
    }
    return kept;
  },

  'case 29: a job whose worker is lost runs again, but not for ever': async (bench) => {
    const queue = bench.queue();
    const lost = bench.worker(null, { lockDuration: 30 });
    const job = await queue.add('a', {});
    const taken = (await lost.getNextJob('lost'))!;
    const stalled: string[] = [];
    const finder = bench.worker(async () => 'found', { stalledInterval: 30, maxStalledCount: 1 });
    finder.on('stalled', (id) => stalled.push(id));
    await bench.ended(queue, 1);
    const late = await failure(taken.moveToCompleted('late', 'lost', false));
    const view = await look(queue, job.id);
    await finder.close();
    const second = await queue.add('b', {});
    await lost.getNextJob('lost');
    bench.worker(async () => 'never', { stalledInterval: 30, maxStalledCount: 0 });
    await bench.ended(queue, 2);
    return { stalled, late, view, second: await look(queue, second.id) };
  },

  'jobs are taken and ended by hand': async (bench) => {
    const queue = bench.queue();
    const worker = bench.worker(null, { name: 'by-hand' });
    for (const name of ['a', 'b', 'c', 'd']) await queue.add(name, {}, { attempts: 1 });
    const a = (await worker.getNextJob('t1'))!;
    const wrong = [await failure(a.moveToCompleted(1, 'other', false)), await failure(a.remove())];
    const extended = [await a.extendLock('t1', 1_000), await a.extendLock('other', 1_000)];
    const next = (await a.moveToCompleted({ a: 1 }, 't1', true)) as unknown[];
    const b = (await queue.getJob(String(next[1])))!;
    const states = [await a.getState(), await b.getState(), b.processedBy ?? null];
    await b.moveToFailed(new Error('no'), 't1', false);
    const c = (await worker.getNextJob('t2')) as Job;
    await c.moveToDelayed(Date.now() + 60_000, 't2');
    const d = (await worker.getNextJob('t3')) as Job;
    const nothing = [await d.moveToWaitingChildren('t3'), (await worker.getNextJob('t4', { block: false })) ?? null];
    const views = await Promise.all([a, b, c, d].map(({ id }) => look(queue, id)));
    return { wrong, extended, states, nothing, views: views.map(withoutDelay), counts: await queue.getJobCounts() };
  },

  'failed jobs run again, one by one or all': async (bench) => {
    const queue = bench.queue();
    let fails = true;
    bench.worker(async () => {
      if (fails) throw new Error('no');
      return 'ok';
    });
    const jobs = await queue.addBulk(['a', 'b', 'c', 'd'].map((name) => ({ name, data: {}, opts: { attempts: 1 } })));
    await bench.ended(queue, 4);
    await queue.pause();
    const [a, b] = await Promise.all(jobs.map(async ({ id }) => (await queue.getJob(id!))!));
    await a!.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
    await b!.retry();
    await queue.retryJobs({ count: 1 });
    const waiting = await Promise.all(jobs.map(({ id }) => look(queue, id)));
    const again = await failure(a!.retry());
    fails = false;
    await queue.resume();
    await until(async () => (await queue.getCompletedCount()) === 4);
    await (await queue.getJob(a!.id!))!.retry('completed');
    await bench.ended(queue, 4);
    return { waiting, again, views: await Promise.all(jobs.map(({ id }) => look(queue, id))) };
  },

  'a job is waited for until it has ended': async (bench) => {
    const queue = bench.queue();
    const events = bench.events();
    bench.worker(async (job) => {
      if (job.name === 'bad') throw new Error('bad luck');
      return { got: job.data as unknown };
    });
    const good = await queue.add('good', 5);
    const bad = await queue.add('bad', 5);
    const results = [await good.waitUntilFinished(events, 4_000), await failure(bad.waitUntilFinished(events, 4_000))];
    return [...results, await good.waitUntilFinished(events), await good.isCompleted(), await bad.isFailed()];
  },

  'ended jobs are counted by the minute': async (bench) => {
    const queue = bench.queue();
    bench.worker(
      async (job) => {
        if (job.name === 'bad') throw new Error('no');
      },
      { metrics: { maxDataPoints: 10 } },
    );
    await queue.addBulk(['a', 'b', 'bad'].map((name) => ({ name, data: {} })));
    await bench.ended(queue, 3);
    const counted = async () => (await queue.getMetrics('failed')).meta.count > 0; // on Postgres a moment later
    await until(counted);
    const metrics = await Promise.all((['completed', 'failed'] as const).map((type) => queue.getMetrics(type)));
    return metrics.map(({ meta, count }) => [meta.count, count <= 1]);
  },
};

function withoutDelay(view: unknown) {
  return { ...(view as object), delay: undefined };
}
