import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { Metrics, RedisConnections, RedisModule } from '@roost/redis';
import { StreamConsumers } from '../../../../libs/queue/dist/streams/stream-consumers.js';
import { JobStreams } from '../../../../libs/queue/dist/streams/stream-producer.js';
import type { BenchJob } from '../jobs.js';
import { QUEUE, queueContestant } from './queue.js';

class BenchModule {}

const STOP_WITHIN_MS = 1_000;

/** The stream lane with its defaults: a message is a job, which is deleted once it was handled. */
export const roostStreams = queueContestant(async ({ redisUrl, concurrency, handle }) => {
  const module = { module: BenchModule, imports: [RedisModule.forRoot({ url: redisUrl })] };
  const app = await NestFactory.createApplicationContext(module, { logger: false });
  const connections = app.get(RedisConnections);
  const streams = new JobStreams({ connections });
  const consumers = new StreamConsumers({ connections, metrics: app.get(Metrics) });
  if (concurrency > 0) {
    consumers.add({
      at: 'bench',
      stream: QUEUE,
      options: { group: QUEUE, concurrency },
      handle: ({ fields }) => handle(JSON.parse((fields as { job: string }).job) as BenchJob),
    });
    consumers.start();
  }
  const fieldsOf = (job: BenchJob) => ({ job: JSON.stringify(job) });
  return {
    add: (job) => streams.add(QUEUE, fieldsOf(job)),
    addAll: (all) => streams.addMany(QUEUE, all.map(fieldsOf)),
    waiting: () => connections.get().backend.commands.read<number>('XLEN', QUEUE),
    async close() {
      await consumers.stop(STOP_WITHIN_MS);
      await app.close();
    },
  };
});
