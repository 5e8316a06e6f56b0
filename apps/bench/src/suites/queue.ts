import { queueBounds, queueTargets } from './queue-targets.js';
import type { JobScenario, Suite } from './suite.js';

const [roost, bullmq] = ['Roost JobQueue', 'BullMQ'];
const asOurs = 'BullMQ, options as ours';

const scenarios = (store: string): JobScenario[] => [
  { title: `${store}: add, 64 callers`, measures: 'adding', processes: 1, concurrency: 0 },
  { title: `${store}: add 100 at once, 4 callers`, measures: 'adding', processes: 1, concurrency: 0, batch: 100 },
  ...[8, 32].map((concurrency): JobScenario => {
    return { title: `${store}: handle, ${concurrency} at a time`, measures: 'handling', processes: 2, concurrency };
  }),
  ...[1, 2].flatMap((processes) =>
    [8, 32].map((concurrency): JobScenario => {
      const where = processes === 1 ? '1 process' : '2 processes';
      return {
        title: `${store}: end to end, ${concurrency} at a time, ${where}`,
        measures: 'both',
        processes,
        concurrency,
      };
    }),
  ),
  { title: `${store}: 200 a second`, measures: 'rate', processes: 2, concurrency: 8 },
];

/** Jobs on Redis and on Postgres. */
export const queue: Suite = {
  name: 'queue',
  about: [
    'Jobs of 200 B, each with a handler that does nothing, as many for every queue, on an empty store each time; × is against BullMQ as it comes.',
    'Roost gives each job a UUID, three attempts, a backoff and an age after which it is removed; BullMQ with options as ours stores exactly that, too, and the targets are held against it. Corked is the same once more on clients that send up to 8 commands in one write.',
    'Add: calls until the store has answered, one job a call, or 100. Handle: jobs that wait, by one process that has been at it for a while. End to end: from the first call of 64 callers until the last job was handled. Latencies are of a call where nothing is handled, else from just before a job was added to its start; those of a queue that fills are as long as the queue. 200 a second is the load that shows how long a job takes to its start.',
    'Each job has to be handled once. Client CPU is that of all processes of a queue, server CPU that of Redis and Postgres.',
    'Redis saves nothing, Postgres runs without `fsync`. pg-boss polls, with batches as large as what is handled at a time; it looks again at once after a batch with jobs, and after half a second, the least that it takes, otherwise.',
  ].join(' '),
  postgres: true,
  comparisons: [],
  jobs: [
    {
      about: 'On Redis:',
      contestants: [roost, bullmq, asOurs, 'BullMQ, options as ours, corked', 'Roost streams'],
      baseline: bullmq,
      scenarios: scenarios('Redis'),
    },
    {
      about: 'On Postgres:',
      contestants: [`${roost}, Postgres`, `${bullmq}, Postgres`, `${asOurs}, Postgres`, 'pg-boss', 'graphile-worker'],
      baseline: `${bullmq}, Postgres`,
      scenarios: scenarios('Postgres'),
    },
  ],
  fairness: {
    about:
      'Urgent jobs before 10 000 of low priority that wait, 8 at a time of 2 ms each. High start: 20 urgent ones, one after the other. Low %: what share of the jobs handled was not urgent while 64 urgent ones always waited.',
    contestants: [roost, asOurs, `${roost}, Postgres`, `${asOurs}, Postgres`],
    baseline: asOurs,
    scenarios: [{ title: 'urgent before 10 000', backlog: 10_000, processes: 2 }],
  },
  promises: {
    about: 'What queues have to reach, against BullMQ with the same options in the same rounds, and keep to.',
    ratios: queueTargets,
    bounds: queueBounds,
  },
};
