import { until, type Behaviour } from './bench.js';
import type { Bench } from './bench.js';

/** What those hear who listen to a queue. */
export const events: Record<string, Behaviour> = {
  'the life of a job that succeeds': async (bench) => {
    const queue = bench.queue();
    const heard = listen(bench);
    await queue.add('a', {});
    bench.worker(async (job) => {
      await job.updateProgress(50);
      await job.updateProgress({ half: true });
      return { done: 1 };
    });
    await until(() => heard.some(([event]) => event === 'drained'));
    return heard;
  },

  'the life of a job that fails': async (bench) => {
    const queue = bench.queue();
    const heard = listen(bench);
    bench.worker(async () => {
      throw new Error('no');
    });
    const job = await queue.add('a', {}, { attempts: 3, backoff: { type: 'fixed', delay: 30 } });
    await until(() => heard.some(([event]) => event === 'drained'));
    await queue.pause();
    await job.retry();
    await job.remove();
    await queue.resume();
    await until(() => heard.some(([event]) => event === 'resumed'));
    return heard;
  },

  'jobs that are delayed, promoted, prioritised and cleaned away': async (bench) => {
    const queue = bench.queue();
    const heard = listen(bench);
    const late = await queue.add('late', {}, { delay: 60_000 });
    await queue.add('urgent', {}, { priority: 1 });
    await late.changeDelay(50_000);
    await late.promote();
    await queue.clean(-1_000, 10, 'wait');
    await queue.clean(-1_000, 10, 'prioritized');
    await queue.add('other', {}, { delay: 60_000 });
    await queue.drain(true);
    await queue.pause();
    await until(() => heard.some(([event]) => event === 'paused'));
    return heard;
  },
};

const NAMES = [
  'added',
  'waiting',
  'delayed',
  'active',
  'progress',
  'completed',
  'failed',
  'retries-exhausted',
] as const;
const MORE = ['drained', 'removed', 'cleaned', 'paused', 'resumed', 'duplicated', 'deduplicated', 'stalled'] as const;

/** All events of the queue, in their order, without times. */
export function listen(bench: Bench, name?: string): [string, unknown][] {
  const heard: [string, unknown][] = [];
  const source = bench.events(name);
  for (const event of [...NAMES, ...MORE, 'waiting-children'] as const) {
    source.on(event, (args: unknown) => {
      const { delay, ...rest } = typeof args === 'object' ? (args as { delay?: number }) : {};
      heard.push([event, delay === undefined ? rest : { ...rest, inFuture: delay > Date.now() - 5_000 }]);
    });
  }
  return heard;
}
