import type { DeduplicationOptions } from 'bullmq';
import { look, sleep, until, type Behaviour } from './bench.js';
import { listen } from './events.behaviours.js';

/** What becomes of jobs that are added twice under one deduplication id. */
export const deduplication: Record<string, Behaviour> = {
  'case 15: the last one that came while one ran, runs after it': async (bench) => {
    const queue = bench.queue();
    const deduplication = { id: 'd', keepLastIfActive: true };
    const seen: unknown[] = [];
    let release: () => void = () => undefined;
    bench.worker(async (job) => {
      seen.push(job.data);
      if (seen.length === 1) await new Promise<void>((resolve) => (release = resolve));
    });
    const ids = [(await queue.add('a', 1, { deduplication })).id];
    await until(() => seen.length === 1);
    for (const data of [2, 3, 4]) ids.push((await queue.add('a', data, { deduplication, priority: 2 })).id);
    release();
    await bench.ended(queue, 2);
    return { seen, ids, counts: await queue.getJobCounts(), views: [await look(queue, '1'), await look(queue, '4')] };
  },

  'case 16: for a time, whatever becomes of the first': async (bench) => {
    const queue = bench.queue();
    const heard = listen(bench);
    const add = async (id: string, ttl: number) => (await queue.add('a', {}, { deduplication: { id, ttl } })).id;
    const ids = [await add('d', 60_000), await add('d', 60_000)];
    const waiting = await queue.getWaitingCount();
    bench.worker(async () => 'ok');
    await bench.ended(queue, 1);
    ids.push(await add('d', 60_000));
    const holder = await queue.getDeduplicationJobId('d');
    ids.push(await add('short', 30));
    await sleep(40);
    ids.push((await queue.getDeduplicationJobId('short')) ?? 'nobody', await add('short', 30));
    await bench.ended(queue, 3);
    const told = () => heard.filter(([event]) => event === 'deduplicated');
    await until(() => told().length === 2);
    return { ids, waiting, holder, told: told() };
  },

  'for a time that begins anew with each': async (bench) => {
    const queue = bench.queue();
    const ids: unknown[] = [];
    for (const ttl of [500, 60_000]) {
      ids.push((await queue.add('a', {}, { deduplication: { id: 'd', ttl, extend: true } })).id);
    }
    await sleep(510);
    return { ids, holder: await queue.getDeduplicationJobId('d'), counts: await queue.getJobCounts() };
  },

  'until the first has ended, or the id is given free': async (bench) => {
    const queue = bench.queue();
    const add = (name: string) => queue.add(name, {}, { deduplication: { id: 'd' } });
    const first = await add('a');
    const ids = [first.id, (await add('b')).id];
    const freed = [await first.removeDeduplicationKey(), await first.removeDeduplicationKey()];
    ids.push((await add('c')).id);
    freed.push((await queue.removeDeduplicationKey('d')) > 0, (await queue.removeDeduplicationKey('d')) > 0);
    const removed = await add('d');
    await removed.remove();
    ids.push(removed.id, (await add('e')).id);
    bench.worker(async () => 'ok');
    await bench.ended(queue, 3);
    return { ids, freed, holder: (await queue.getDeduplicationJobId('d')) ?? null, next: (await add('f')).id };
  },

  'a delayed one is replaced by the next': async (bench) => {
    const queue = bench.queue();
    const heard = listen(bench);
    const deduplication = { id: 'd', replace: true, ttl: 60_000 };
    const ids: unknown[] = [];
    for (const data of [1, 2, 3]) ids.push((await queue.add('a', data, { deduplication, delay: 40 })).id);
    const delayed = await queue.getDelayedCount();
    bench.worker(async (job) => job.data as unknown);
    await bench.ended(queue, 1);
    ids.push((await queue.add('a', 4, { deduplication, delay: 10 })).id);
    await until(() => heard.some(([event]) => event === 'drained'));
    return { ids, delayed, counts: await queue.getJobCounts(), views: await look(queue, '3'), heard };
  },

  'a delayed one is put off by the next': async (bench) => {
    const queue = bench.queue();
    const deduplication = { id: 'd', reschedule: true } as DeduplicationOptions;
    const first = await queue.add('a', 1, { deduplication, delay: 60_000 });
    const second = await queue.add('a', 2, { deduplication, delay: 30 });
    bench.worker(async (job) => [job.data, job.delay] as unknown);
    await bench.ended(queue, 1);
    return { ids: [first.id, second.id], view: await look(queue, first.id) };
  },

  'what came for later is not forgotten when the time of the first is over': async (bench) => {
    const queue = bench.queue();
    const seen: unknown[] = [];
    let release: () => void = () => undefined;
    bench.worker(async (job) => {
      seen.push(job.data);
      if (seen.length === 1) await new Promise<void>((resolve) => (release = resolve));
    });
    await queue.add('a', 1, { deduplication: { id: 'd', ttl: 400 } });
    await until(() => seen.length === 1);
    const deduplication = { id: 'd', keepLastIfActive: true };
    const ids = [(await queue.add('a', 2, { deduplication })).id];
    await sleep(410);
    ids.push((await queue.add('a', 3, { deduplication })).id);
    release();
    await bench.ended(queue, 2);
    return { ids, seen, counts: await queue.getJobCounts() };
  },

  'without any id, all run': async (bench) => {
    const queue = bench.queue();
    const deduplication = { id: 'd', keepLastIfActive: true, ttl: 50 };
    const ids = [(await queue.add('a', 1, { deduplication })).id, (await queue.add('a', 2, { deduplication })).id];
    ids.push((await queue.add('a', 3)).id);
    bench.worker(async () => 'ok');
    await bench.ended(queue, 2);
    return { ids, counts: await queue.getJobCounts(), holder: (await queue.getDeduplicationJobId('d')) ?? null };
  },
};
