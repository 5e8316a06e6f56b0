import {
  Logger,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type FactoryProvider,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { HealthRegistry, RedisConnections, type RedisConnection } from '@roost/redis';
import { PresenceConfig } from './presence.config.js';
import { PresenceMetrics } from './presence.metrics.js';
import {
  ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  OPTIONS_TYPE,
  PRESENCE_OPTIONS,
} from './presence.module-definition.js';
import type { PresenceOptions } from './presence.options.js';
import { PresenceRoom } from './presence.room.js';
import { PresenceService } from './presence.service.js';

const config: FactoryProvider<PresenceConfig> = {
  provide: PresenceConfig,
  inject: [PRESENCE_OPTIONS],
  useFactory: (options: PresenceOptions) => new PresenceConfig(options),
};

const room: FactoryProvider<PresenceRoom> = {
  provide: PresenceRoom,
  inject: [PresenceConfig, RedisConnections, PresenceMetrics, HealthRegistry],
  useFactory: (
    config: PresenceConfig,
    connections: RedisConnections,
    metrics: PresenceMetrics,
    health: HealthRegistry,
  ) => {
    const connection: RedisConnection = connections.get(config.connection);
    const room = new PresenceRoom({ config, connection, metrics, logger: new Logger('Presence') });
    connection.beforeClose(() => room.leave());
    health.contribute('presence', () => room.report());
    return room;
  },
};

/**
 * Who is here, for the whole application. Global; needs `RedisModule`.
 * @example PresenceModule.forRoot({ gateway: { authenticate, authorize } })
 */
@Module({
  providers: [
    config,
    PresenceMetrics,
    room,
    { provide: PresenceService, inject: [PresenceRoom], useFactory: ({ service }: PresenceRoom) => service },
  ],
  exports: [PresenceService, PresenceRoom],
})
export class PresenceModule
  extends ConfigurableModuleClass
  implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  constructor(private readonly room: PresenceRoom) {
    super();
  }

  /** With no options presence lives in Redis when there is one, and in this process otherwise. */
  static forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }

  onApplicationBootstrap(): void {
    this.room.open();
  }

  /** Sockets are about to be closed: their users leave all together, with the process. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.room.close();
  }

  /** All sockets are closed. Redis waits for this, too, before it closes. */
  onApplicationShutdown(): Promise<void> {
    return this.room.leave();
  }
}
