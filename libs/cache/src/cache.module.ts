import {
  Logger,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { HealthRegistry, RedisConnections } from '@roost/redis';
import { CacheConfig } from './cache.config.js';
import { CacheMetrics } from './cache.metrics.js';
import { ASYNC_OPTIONS_TYPE, CACHE_OPTIONS, ConfigurableModuleClass, OPTIONS_TYPE } from './cache.module-definition.js';
import type { CacheModuleOptions } from './cache.options.js';
import { CacheRoom } from './cache.room.js';
import { CacheService } from './cache.service.js';
import { CachedCheck } from './cached.check.js';
import { WarmUps } from './warm-ups.js';
import { httpCacheExports, httpCacheProviders } from './http/http-cache.providers.js';

const config: FactoryProvider<CacheConfig> = {
  provide: CacheConfig,
  inject: [CACHE_OPTIONS],
  useFactory: (options: CacheModuleOptions) => new CacheConfig(options),
};

const room: FactoryProvider<CacheRoom> = {
  provide: CacheRoom,
  inject: [CacheConfig, RedisConnections, CacheMetrics, HealthRegistry],
  useFactory: (settings: CacheConfig, connections: RedisConnections, metrics: CacheMetrics, health: HealthRegistry) => {
    const connection = connections.get(settings.connection);
    const made = new CacheRoom({ config: settings, connection, metrics, logger: new Logger('Cache') });
    health.contribute('cache', () => made.report());
    connection.beforeClose(() => made.close());
    return made;
  },
};

/** A cache for the whole application. Global; needs `RedisModule`. */
@Module({
  imports: [DiscoveryModule],
  providers: [
    config,
    room,
    CacheMetrics,
    CachedCheck,
    WarmUps,
    ...httpCacheProviders,
    { provide: CacheService, inject: [CacheRoom], useFactory: ({ service }: CacheRoom) => service },
  ],
  exports: [CacheService, ...httpCacheExports],
})
export class CacheModule extends ConfigurableModuleClass implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(private readonly room: CacheRoom) {
    super();
  }

  /** With no options values live in Redis when there is one, and in this process otherwise. */
  static forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.room.ready();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.room.close();
  }
}
