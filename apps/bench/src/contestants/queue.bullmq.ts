import { createPostgresBackend, Queue, Worker, type JobsOptions, type QueueOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import type { BenchJob } from '../jobs.js';
import { cork, CopiedCork } from './corks.js';
import { QUEUE, queueContestant, type Jobs, type QueueTask } from './queue.js';

/** What Roost stores with each job, beside an id of its own. */
const AS_OURS: JobsOptions = {
  attempts: 3,
  backoff: { type: 'exponential', delay: 60_000 },
  removeOnComplete: { age: 86_400 },
  removeOnFail: { age: 14 * 86_400 },
};
/** Those of Roost. */
const PRIORITIES = { high: 0, low: 100 } as const;
/** More would keep Redis waiting for the first of them. */
const BATCH = 8;

/** How BullMQ is used: with nothing set, with the options of jobs that Roost stores, or with those on clients that are corked. */
type Manner = 'plain' | 'as ours' | 'corked';

/** BullMQ on Redis. */
export function bullmqRedis(manner: Manner) {
  return queueContestant((task) => {
    const { hostname: host, port } = new URL(task.redisUrl);
    const client = () => {
      if (manner !== 'corked') return { host, port: Number(port) };
      const made = new Redis(task.redisUrl, { maxRetriesPerRequest: null });
      cork(made, new CopiedCork(setImmediate, BATCH));
      return made;
    };
    return open(task, manner, client);
  });
}

/** BullMQ on Postgres, which makes its tables itself. */
export function bullmqPostgres(manner: Manner) {
  return queueContestant((task) =>
    open(task, manner, () => ({ connectionString: task.postgresUrl, migrate: true }), createPostgresBackend as never),
  );
}

async function open(
  { concurrency, handle }: QueueTask,
  manner: Manner,
  connect: () => unknown,
  ...backend: [never?]
): Promise<Jobs> {
  const connections: unknown[] = [];
  const connection = () => {
    connections.push(connect());
    return connections.at(-1) as QueueOptions['connection'];
  };
  const defaults = manner === 'plain' ? {} : { defaultJobOptions: AS_OURS };
  const queue = new Queue(QUEUE, { connection: connection(), ...defaults }, ...backend);
  await queue.waitUntilReady();
  const worker =
    concurrency === 0
      ? undefined
      : new Worker(
          QUEUE,
          ({ data }) => handle(data as BenchJob),
          { connection: connection(), concurrency },
          ...backend,
        );
  // It prints what it hears of while it is closed; a job that is lost is told by the load.
  worker?.on('error', () => undefined);
  await worker?.waitUntilReady();
  const optionsOf = ({ urgency }: BenchJob): JobsOptions => ({
    ...(manner !== 'plain' && { jobId: randomUUID() }),
    ...(urgency !== undefined && { priority: PRIORITIES[urgency] }),
  });
  return {
    add: (job) => queue.add('job', job, optionsOf(job)),
    addAll: (all) => queue.addBulk(all.map((data) => ({ name: 'job', data, opts: optionsOf(data) }))),
    waiting: () => queue.getJobCountByTypes('waiting', 'prioritized'),
    async close() {
      await worker?.close(true);
      await queue.close();
      for (const each of connections) if (each instanceof Redis) each.disconnect();
    },
  };
}
