import type { Job } from 'bullmq';
import { failure, look, until, type Behaviour } from './bench.js';

/** What becomes of jobs that have ended, or whose worker has. */
export const ending: Record<string, Behaviour> = {
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
