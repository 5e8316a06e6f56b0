import {
  Logger,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type InjectionToken,
  type ModuleMetadata,
  type OnApplicationShutdown,
  type OptionalFactoryDependency,
} from '@nestjs/common';
import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { HealthRegistry, Metrics, RedisConnections } from '@roost/redis';
import { Outbox } from './outbox/outbox.js';
import { QueueConfig } from './queue.config.js';
import { QueueMetrics } from './queue.metrics.js';
import { ASYNC_OPTIONS_TYPE, ConfigurableModuleClass, OPTIONS_TYPE, QUEUE_OPTIONS } from './queue.module-definition.js';
import type { QueueModuleOptions, QueueOptions } from './queue.options.js';
import { QueueRoom } from './queue.room.js';
import { QueueStores } from './queue.stores.js';
import { getJobsToken, QUEUE_MODULE } from './queue.tokens.js';
import { Queues, type QueueEntry } from './queues.js';
import { StreamConsumers } from './streams/stream-consumers.js';
import { JobStreams } from './streams/stream-producer.js';
import { WorkersModule } from './workers/workers.module.js';

const config: FactoryProvider<QueueConfig> = {
  provide: QueueConfig,
  inject: [QUEUE_OPTIONS],
  useFactory: (options: QueueModuleOptions) => new QueueConfig(options),
};

const stores: FactoryProvider<QueueStores> = {
  provide: QueueStores,
  inject: [QueueConfig, RedisConnections],
  useFactory: (settings: QueueConfig, connections: RedisConnections) =>
    new QueueStores(settings, connections.get(settings.connection), new Logger('Queue')),
};

const room: FactoryProvider<QueueRoom> = {
  provide: QueueRoom,
  inject: [QueueConfig, QueueStores, RedisConnections, QueueMetrics, Metrics, HealthRegistry],
  useFactory: (
    settings: QueueConfig,
    opened: QueueStores,
    connections: RedisConnections,
    metrics: QueueMetrics,
    registry: Metrics,
    health: HealthRegistry,
  ) => {
    const connection = connections.get(settings.connection);
    const logger = new Logger('Queue');
    const made = new QueueRoom({ config: settings, stores: opened, connection, metrics, registry, logger });
    connection.beforeClose(() => made.close());
    health.contribute('queue', () => made.report());
    return made;
  },
};

const streams: FactoryProvider<StreamConsumers> = {
  provide: StreamConsumers,
  inject: [QueueConfig, RedisConnections, Metrics, HealthRegistry],
  useFactory: (
    { connection }: QueueConfig,
    connections: RedisConnections,
    metrics: Metrics,
    health: HealthRegistry,
  ) => {
    const made = new StreamConsumers({ connections, metrics, connection, logger: new Logger('Streams') });
    health.contribute('streams', () => made.report());
    return made;
  },
};

const producer: FactoryProvider<JobStreams> = {
  provide: JobStreams,
  inject: [QueueConfig, RedisConnections],
  useFactory: ({ connection }: QueueConfig, connections: RedisConnections) =>
    new JobStreams({ connections, connection }),
};

/** BullMQ's own module, on our stores; its workers start when we say so. */
const bull = BullModule.forRootAsync({
  inject: [QueueStores],
  useFactory: async (opened: QueueStores) => opened.lend(await opened.get()),
  extraOptions: { manualRegistration: true },
});

/** How the options of one queue are made by providers. */
export interface QueueAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  readonly name: string;
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[];
  readonly useFactory: (...args: never[]) => QueueOptions | Promise<QueueOptions>;
}

/** Queues for the whole application. Global; needs `RedisModule`, also where jobs are kept in Postgres. */
@Module({
  imports: [bull, BullModule.registerQueue(), WorkersModule],
  providers: [
    config,
    stores,
    room,
    QueueMetrics,
    { provide: QUEUE_MODULE, useValue: true },
    streams,
    producer,
    { provide: Queues, inject: [QueueRoom], useFactory: ({ queues }: QueueRoom) => queues },
    { provide: Outbox, inject: [QueueRoom], useFactory: ({ outbox }: QueueRoom) => outbox },
  ],
  exports: [QUEUE_MODULE, QueueConfig, QueueStores, QueueRoom, Queues, Outbox, JobStreams, StreamConsumers],
})
export class QueueModule extends ConfigurableModuleClass implements OnApplicationShutdown {
  constructor(private readonly room: QueueRoom) {
    super();
  }

  /** With no options jobs live in Redis when there is one, and in this process otherwise, in production nowhere. */
  static forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }

  /** Declares a queue: `@InjectJobs(name)` injects ours, `@InjectQueue(name)` BullMQ's. Global. */
  static registerQueue(name: string, options: QueueOptions = {}): DynamicModule {
    return QueueModule.registerQueueAsync({ name, useFactory: () => options });
  }

  /** The same with options that providers know. */
  static registerQueueAsync({ name, imports = [], inject = [], useFactory }: QueueAsyncOptions): DynamicModule {
    const entry = Symbol(`roost:queue:${name}`);
    const providers: FactoryProvider[] = [
      {
        provide: entry,
        inject: [QueueRoom, ...inject],
        useFactory: async ({ queues }: QueueRoom, ...args: never[]) => queues.register(name, await useFactory(...args)),
      },
      { provide: getJobsToken(name), inject: [entry], useFactory: ({ jobs }: QueueEntry) => jobs },
      { provide: getQueueToken(name), inject: [entry], useFactory: ({ queue }: QueueEntry) => queue },
    ];
    return { module: RegisteredQueueModule, global: true, imports, providers, exports: providers };
  }

  /** Redis waits for this, too, before it closes. */
  onApplicationShutdown(): Promise<void> {
    return this.room.close();
  }
}

/** What one queue provides. */
@Module({})
class RegisteredQueueModule {}
