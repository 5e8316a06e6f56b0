import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { Client } from 'pg';
import type { BenchJob } from '../jobs.js';
import { QUEUE, queueContestant } from './queue.js';

const logger = new Logger(() => () => {});

/** graphile-worker with the settings of its README. */
export const graphileWorker = queueContestant(async ({ postgresUrl: connectionString, concurrency, handle }) => {
  const utils = await makeWorkerUtils({ connectionString, logger });
  await utils.migrate();
  const counter = new Client({ connectionString });
  await counter.connect();
  const taskList = { [QUEUE]: (job: unknown) => handle(job as BenchJob) };
  const runner =
    concurrency === 0
      ? undefined
      : await run({ connectionString, concurrency, taskList, logger, noHandleSignals: true, pollInterval: 1_000 });
  return {
    add: (job) => utils.addJob(QUEUE, job),
    addAll: (all) => utils.addJobs(all.map((payload) => ({ identifier: QUEUE, payload }))),
    async waiting() {
      const { rows } = await counter.query<{ count: number }>('SELECT count(*)::int FROM graphile_worker.jobs');
      return rows[0]!.count;
    },
    async close() {
      await runner?.stop();
      await utils.release();
      await counter.end();
    },
  };
});
