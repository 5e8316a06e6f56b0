import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { getJobsToken, JobData, JobHandler, JobWorker, QueueModule, Queues, type JobQueue } from '@roost/queue';
import { RedisModule } from '@roost/redis';
import type { BenchJob } from '../jobs.js';
import { QUEUE, queueContestant } from './queue.js';

class BenchModule {}

/** `JobQueue` and `@JobHandler` with the module's defaults, on Redis or on Postgres. */
export function roostQueue(backend: 'redis' | 'postgres') {
  return queueContestant(async ({ redisUrl, postgresUrl, concurrency, handle }) => {
    @JobWorker(QUEUE)
    class Handlers {
      @JobHandler('job')
      job(@JobData() job: BenchJob): Promise<void> {
        return handle(job);
      }
    }
    const imports = [
      RedisModule.forRoot(backend === 'redis' ? { url: redisUrl } : {}),
      QueueModule.forRoot({
        ...(backend === 'postgres' && { database: { url: postgresUrl } }),
        workers: concurrency > 0,
      }),
      QueueModule.registerQueue(QUEUE, { concurrency: Math.max(concurrency, 1) }),
    ];
    const module = { module: BenchModule, imports, providers: [Handlers] };
    const app = await NestFactory.createApplicationContext(module, { logger: false });
    const jobs = app.get<JobQueue>(getJobsToken(QUEUE));
    const { queue } = app.get(Queues).get(QUEUE)!;
    const optionsOf = ({ urgency }: BenchJob) => (urgency === undefined ? {} : { priority: urgency });
    return {
      add: (job) => jobs.add('job', job, optionsOf(job)),
      addAll: (all) => jobs.addAll(all.map((data) => ({ name: 'job', data, options: optionsOf(data) }))),
      waiting: () => queue.getJobCountByTypes('waiting', 'prioritized'),
      close: () => app.close(),
    };
  });
}
