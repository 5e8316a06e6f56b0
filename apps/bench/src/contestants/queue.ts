import type { Contestant, Task } from '../contestant.js';
import { HandledJobs, jobOf, type BenchJob, type JobSink } from '../jobs.js';

/** What every queue of the suite `queue` can do. */
export interface Jobs extends JobSink {
  /** How many wait for a worker. */
  waiting(): Promise<number>;
  close(): Promise<unknown>;
}

/** What a queue is opened with. */
export interface QueueTask {
  readonly redisUrl: string;
  readonly postgresUrl: string;
  /** How many jobs this process handles at a time; 0: it only adds some. */
  readonly concurrency: number;
  readonly handle: (job: BenchJob) => Promise<void>;
}

/** What its queue is called. */
export const QUEUE = 'bench';

/** A queue opened for `jobs`, how many it handles at a time, and for how many ms each: `jobs 8 0`. Who handles none looks whether it adds. */
export function queueContestant(open: (task: QueueTask) => Promise<Jobs>): Contestant {
  return async ({ redisUrl, postgresUrl = '', work }: Task) => {
    const [, concurrency = 0, holdMs = 0] = work.split(' ').map(Number);
    const handled = new HandledJobs(holdMs);
    const jobs = await open({ redisUrl, postgresUrl, concurrency, handle: (job) => handled.handle(job) });
    return {
      jobs,
      handled,
      ...(concurrency === 0 && { verify: () => problemOf(jobs) }),
      close: async () => void (await jobs.close()),
    };
  };
}

/** What is added waits. The jobs that look are the first of the numbers below 0. */
async function problemOf(jobs: Jobs): Promise<string | undefined> {
  const before = await jobs.waiting();
  await jobs.add(jobOf(-1));
  await jobs.addAll([jobOf(-2), jobOf(-3)]);
  const added = (await jobs.waiting()) - before;
  return added === CHECKED ? undefined : `of ${CHECKED} jobs that were added ${added} wait`;
}

/** How many jobs wait in a queue that was just opened and looked at. */
export const CHECKED = 3;
