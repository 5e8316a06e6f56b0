import PgBoss from 'pg-boss';
import type { BenchJob } from '../jobs.js';
import { QUEUE, queueContestant } from './queue.js';

/** The shortest that it takes. */
const POLLING_SECONDS = 0.5;

/**
 * pg-boss: as many jobs a poll as are handled at a time. It polls; after a batch that had jobs it is told to look again at
 * once, as its documentation says, or it would handle one batch in half a second.
 */
export const pgBoss = queueContestant(async ({ postgresUrl, concurrency, handle }) => {
  const boss = new PgBoss({ connectionString: postgresUrl, schedule: false, supervise: false });
  boss.on('error', (error) => {
    throw error;
  });
  await boss.start();
  // A second process finds it there.
  if ((await boss.getQueue(QUEUE)) === null) await boss.createQueue(QUEUE);
  if (concurrency > 0) {
    const options = { batchSize: concurrency, pollingIntervalSeconds: POLLING_SECONDS };
    const worker: { id?: string } = {};
    worker.id = await boss.work<BenchJob>(QUEUE, options, async (jobs) => {
      await Promise.all(jobs.map(({ data }) => handle(data)));
      if (jobs.length > 0 && worker.id !== undefined) boss.notifyWorker(worker.id);
    });
  }
  return {
    add: (job) => boss.send(QUEUE, job),
    addAll: (all) => boss.insert(all.map((data) => ({ name: QUEUE, data }))),
    waiting: () => boss.getQueueSize(QUEUE),
    close: () => boss.stop({ graceful: false, wait: true }),
  };
});
