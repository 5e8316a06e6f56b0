import { Inject, Module, type DynamicModule, type FactoryProvider, type OnApplicationShutdown } from '@nestjs/common';
import { CacheModule, type CacheOptions } from '@nestjs/cache-manager';
import { HealthRegistry, RedisConnections } from '@roost/redis';
import { Keyv } from 'keyv';
import { CacheManagerAdapter } from './cache-manager.adapter.js';
import { CacheManagerLog } from './cache-manager.log.js';
import {
  ASYNC_OPTIONS_TYPE,
  CACHE_MANAGER_OPTIONS,
  ConfigurableModuleClass,
  OPTIONS_TYPE,
} from './cache-manager.module-definition.js';
import { CacheManagerConfig, type RoostCacheManagerOptions } from './cache-manager.options.js';
import type { Entries } from './entries.js';
import { checkKeyv, keyvFormat } from './keyv-format.js';
import { MemoryEntries } from './memory-entries.js';
import { RedisEntries } from './redis-entries.js';

const ENTRIES = Symbol('roost:cache-manager:entries');

const config: FactoryProvider<CacheManagerConfig> = {
  provide: CacheManagerConfig,
  inject: [CACHE_MANAGER_OPTIONS],
  useFactory: (options: RoostCacheManagerOptions) => new CacheManagerConfig(options),
};

const entries: FactoryProvider<Entries> = {
  provide: ENTRIES,
  inject: [CacheManagerConfig, RedisConnections, HealthRegistry],
  useFactory: (config: CacheManagerConfig, connections: RedisConnections, health: HealthRegistry) => {
    const { timeoutMs, memoryMaxBytes } = config;
    const connection = connections.get(config.connection);
    const entries = connection.backend.configured
      ? new RedisEntries(connection, timeoutMs)
      : new MemoryEntries(memoryMaxBytes);
    health.contribute('cache-manager', () => entries.report());
    return entries;
  },
};

/** The `CacheModule` of Nest over our store; it looks for what it injects among what is global. */
const cacheModule = CacheModule.registerAsync({
  isGlobal: true,
  inject: [CacheManagerConfig, ENTRIES],
  useFactory: async (config: CacheManagerConfig, entries: Entries): Promise<CacheOptions> => {
    await checkKeyv();
    const log = new CacheManagerLog();
    for (const warning of config.warnings) log.warn(warning);
    const { namespace, ttlMs: ttl, maxValueBytes, refreshThresholdMs: refreshThreshold } = config;
    const store = new CacheManagerAdapter(entries, { maxValueBytes, warn: log.warn });
    // The adapter writes the namespace before each key; Keyv would take the key `app:x` for `x` of the namespace `app`.
    const keyv = new Keyv({ store, namespace, useKeyPrefix: false, ttl, ...keyvFormat });
    keyv.on('error', log.failed);
    return { stores: [keyv], ttl, ...(refreshThreshold !== undefined && { refreshThreshold }) };
  },
});

/**
 * Provides `CACHE_MANAGER` and `Cache` of `@nestjs/cache-manager` over the Redis of `RedisModule`, or in this process
 * without one; `CacheInterceptor`, `@CacheKey` and `@CacheTTL` work as they are. Global; replaces `CacheModule.register`.
 * @example imports: [RedisModule.forRoot({ url }), RoostCacheManagerModule.forRoot({ ttl: '1m' })]
 */
@Module({
  imports: [cacheModule],
  providers: [config, entries],
  exports: [CacheModule, CacheManagerConfig, ENTRIES],
})
export class RoostCacheManagerModule extends ConfigurableModuleClass implements OnApplicationShutdown {
  constructor(@Inject(ENTRIES) private readonly entries: Entries) {
    super();
  }

  /** With no options values are kept for five minutes. */
  static forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }

  onApplicationShutdown(): void {
    this.entries.close();
  }
}
