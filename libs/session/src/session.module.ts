import {
  Logger,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { HealthRegistry, RedisConnections } from '@roost/redis';
import { FeatureFlags } from './flags/feature-flags.service.js';
import { Flags } from './flags/flags.service.js';
import { SessionStores } from './middleware/session-stores.js';
import { OneTimeCodes } from './one-time/one-time-codes.service.js';
import { OneTimeTokens } from './one-time/one-time-tokens.service.js';
import { SessionConfig } from './session.config.js';
import { SessionMetrics } from './session.metrics.js';
import {
  ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  OPTIONS_TYPE,
  SESSION_OPTIONS,
} from './session.module-definition.js';
import type { SessionOptions } from './session.options.js';
import { SessionRoom } from './session.room.js';
import { Sessions } from './sessions/sessions.service.js';

const room: FactoryProvider<SessionRoom> = {
  provide: SessionRoom,
  inject: [SessionConfig, RedisConnections, SessionMetrics, HealthRegistry],
  useFactory: (
    config: SessionConfig,
    connections: RedisConnections,
    metrics: SessionMetrics,
    health: HealthRegistry,
  ) => {
    const connection = connections.get(config.connection);
    if ((config.backend ?? connection.backend.mode) === 'redis') connection.backend.require('sessions');
    const made = new SessionRoom({ config, connection, metrics, logger: new Logger('Sessions') });
    health.contribute('sessions', () => made.report());
    return made;
  },
};

/**
 * Sessions, one-time codes and tokens, and flags for the whole application. Global; needs `RedisModule`.
 * @example SessionModule.forRoot({ pepper: config.SESSION_PEPPER, production: true })
 */
@Module({
  providers: [
    {
      provide: SessionConfig,
      inject: [SESSION_OPTIONS],
      useFactory: (options: SessionOptions) => new SessionConfig(options),
    },
    SessionMetrics,
    room,
    { provide: Sessions, inject: [SessionRoom], useFactory: ({ sessions }: SessionRoom) => sessions },
    { provide: SessionStores, inject: [SessionRoom], useFactory: ({ stores }: SessionRoom) => stores },
    { provide: Flags, inject: [SessionRoom], useFactory: ({ flags }: SessionRoom) => flags },
    { provide: FeatureFlags, inject: [SessionRoom], useFactory: ({ features }: SessionRoom) => features },
    { provide: OneTimeCodes, inject: [SessionRoom], useFactory: ({ codes }: SessionRoom) => codes },
    { provide: OneTimeTokens, inject: [SessionRoom], useFactory: ({ tokens }: SessionRoom) => tokens },
  ],
  exports: [Sessions, SessionStores, Flags, FeatureFlags, OneTimeCodes, OneTimeTokens, SessionConfig],
})
export class SessionModule extends ConfigurableModuleClass implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(private readonly room: SessionRoom) {
    super();
  }

  /** With no options sessions live in Redis when there is one, and in this process otherwise. */
  static forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.room.open();
  }

  onApplicationShutdown(): void {
    this.room.close();
  }
}
