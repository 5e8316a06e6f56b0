import {
  Logger,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { HealthRegistry, RedisConnections } from '@roost/redis';
import { LockedCronModule } from './duties/locked-cron.module.js';
import { onceRecords } from './duties/once.provider.js';
import { OnceRecords } from './duties/once.records.js';
import { LockConfig } from './lock.config.js';
import { LockMetrics } from './lock.metrics.js';
import { ASYNC_OPTIONS_TYPE, ConfigurableModuleClass, OPTIONS_TYPE } from './lock.module-definition.js';
import { lockConfig, LockInstance, lockStores } from './lock.providers.js';
import { LockRoom } from './lock.room.js';
import { LockService } from './lock.service.js';
import { LockStores } from './stores/lock.stores.js';
import { WithLockCheck } from './with-lock.check.js';

/**
 * Locks for the whole application. Global; needs `RedisModule`.
 * @example
 * LockModule.forRootAsync({ inject: [DATABASE], useFactory: (guard: Database) => ({ guard }) })
 */
@Module({
  imports: [LockedCronModule, DiscoveryModule],
  providers: [
    onceRecords,
    lockConfig,
    lockStores,
    LockInstance,
    LockMetrics,
    WithLockCheck,
    {
      provide: LockRoom,
      inject: [LockConfig, LockStores, LockMetrics, LockInstance, RedisConnections, OnceRecords, HealthRegistry],
      useFactory: (
        config: LockConfig,
        stores: LockStores,
        metrics: LockMetrics,
        { name }: LockInstance,
        connections: RedisConnections,
        records: OnceRecords,
        health: HealthRegistry,
      ) => {
        const connection = connections.get(config.connection);
        const logger = new Logger('Locks');
        const space = connection.keyPrefix;
        const room = new LockRoom({ config, stores, metrics, logger, instance: name, space, records });
        connection.beforeClose(() => room.drain());
        health.contribute('locks', () => room.report());
        return room;
      },
    },
    { provide: LockService, inject: [LockRoom], useFactory: ({ service }: LockRoom) => service },
  ],
  exports: [LockService, LockConfig],
})
export class LockModule
  extends ConfigurableModuleClass
  implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown
{
  constructor(
    private readonly room: LockRoom,
    private readonly stores: LockStores,
  ) {
    super();
  }

  /** With no options locks live in Redis when there is one, and in this process otherwise. */
  static forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }

  /** @throws InvalidOptionsError when `strict` refuses the Redis that is there. */
  async onApplicationBootstrap(): Promise<void> {
    await this.stores.settle();
  }

  /** Others may lead. The server still answers requests, for as long as balancers send them, and these go on waiting. */
  onModuleDestroy(): void {
    this.room.stepDown();
  }

  /** The server is about to close, and waits for its requests: nobody waits for a busy lock any more. */
  beforeApplicationShutdown(): void {
    this.room.stopWaiting();
  }

  /** Redis waits for this, too, before it closes. */
  onApplicationShutdown(): Promise<void> {
    return this.room.drain();
  }
}
