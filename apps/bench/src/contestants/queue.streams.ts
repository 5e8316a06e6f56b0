import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { JobStreams, QueueModule, StreamConsumer, type StreamMessage } from '@roost/queue';
import { RedisConnections, RedisModule } from '@roost/redis';
import type { BenchJob } from '../jobs.js';
import { QUEUE, queueContestant } from './queue.js';

class BenchModule {}

/** The stream lane with its defaults: a message is a job, which is deleted once it was handled. */
export const roostStreams = queueContestant(async ({ redisUrl, concurrency, handle }) => {
  class Consumer {
    @StreamConsumer(QUEUE, { group: QUEUE, concurrency: Math.max(concurrency, 1) })
    job({ fields }: StreamMessage): Promise<void> {
      return handle(JSON.parse(fields['job']!) as BenchJob);
    }
  }
  const imports = [RedisModule.forRoot({ url: redisUrl }), QueueModule.forRoot({ workers: concurrency > 0 })];
  const module = { module: BenchModule, imports, providers: [Consumer] };
  const app = await NestFactory.createApplicationContext(module, { logger: false });
  const streams = app.get(JobStreams);
  const { commands } = app.get(RedisConnections).get().backend;
  const fieldsOf = (job: BenchJob) => ({ job: JSON.stringify(job) });
  return {
    add: (job) => streams.add(QUEUE, fieldsOf(job)),
    addAll: (all) => streams.addMany(QUEUE, all.map(fieldsOf)),
    waiting: () => commands.read<number>('XLEN', QUEUE),
    close: () => app.close(),
  };
});
