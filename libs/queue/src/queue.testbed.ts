import { Module, type DynamicModule, type INestApplicationContext, type Provider, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { RedisModule } from '@roost/redis';
import type { JobQueue } from './jobs/job-queue.js';
import { QueueModule } from './queue.module.js';
import type { QueueModuleOptions, QueueOptions } from './queue.options.js';
import { getJobsToken } from './queue.tokens.js';

export interface BedOptions {
  /** Without one there is no Redis. */
  readonly url?: string | undefined;
  readonly module?: QueueModuleOptions;
  /** @default { emails: {} } */
  readonly queues?: Readonly<Record<string, QueueOptions>>;
  readonly providers?: readonly Provider[];
  readonly imports?: readonly (Type | DynamicModule)[];
}

/** One application with queues. */
export interface Bed {
  readonly app: INestApplicationContext;
  jobs(queue?: string): JobQueue;
  /** What was logged, as `level: message`. */
  readonly log: string[];
}

/** Builds an application and starts it. */
export async function openBed(options: BedOptions): Promise<Bed> {
  const { url, module = {}, queues = { emails: {} }, providers = [], imports = [] } = options;
  @Module({ imports: [...imports], providers: [...providers] })
  class UserModule {}
  const log: string[] = [];
  const at = (level: string) => (message: unknown) => void log.push(`${level}: ${String(message)}`);
  const logger = { log: at('log'), error: at('error'), warn: at('warn'), debug: at('debug'), verbose: at('verbose') };
  const built = await Test.createTestingModule({
    imports: [
      RedisModule.forRoot(url === undefined ? {} : { url, bootWaitMs: 200, recheckMs: 200 }),
      QueueModule.forRoot({ drainTimeout: '300ms', ...module }),
      ...Object.entries(queues).map(([name, each]) => QueueModule.registerQueue(name, each)),
      UserModule,
    ],
  })
    .setLogger(logger)
    .compile();
  const app = built.createNestApplication({ logger });
  await app.init().catch(async (error: unknown) => {
    await app.close(); // an application that does not start keeps what it has opened
    throw error;
  });
  return { app, log, jobs: (queue = 'emails') => app.get<JobQueue>(getJobsToken(queue)) };
}
