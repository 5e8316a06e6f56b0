import {
  Module,
  type DynamicModule,
  type FactoryProvider,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { HealthRegistry, InvalidOptionsError, RedisConnections, type Backend } from '@roost/redis';
import { KnownRefusals } from './known-refusals.js';
import { MemoryHitLog } from './memory-hit-log.js';
import { RedisHitLog } from './redis-hit-log.js';
import { bugLog } from '../switching/rate-limit.bugs.js';
import { ThrottlerMetrics } from './throttler.metrics.js';
import {
  ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  OPTIONS_TYPE,
  THROTTLER_OPTIONS,
} from './throttler.module-definition.js';
import { ThrottlerConfig, type RoostThrottlerOptions } from './throttler.options.js';
import { ThrottlerRoutes } from './throttler.routes.js';
import { RoostThrottlerStorage } from './throttler.storage.js';
import { ThrottlerSwitch } from './throttler.switch.js';

const providers: FactoryProvider[] = [
  {
    provide: ThrottlerConfig,
    inject: [THROTTLER_OPTIONS],
    useFactory: (options: RoostThrottlerOptions) => {
      const config = new ThrottlerConfig(options);
      if (config.problems.length > 0) throw new InvalidOptionsError('RoostThrottlerModule', config.problems);
      return config;
    },
  },
  {
    provide: MemoryHitLog,
    inject: [ThrottlerConfig, ThrottlerMetrics],
    useFactory: ({ memoryMaxEntries: maxEntries }: ThrottlerConfig, metrics: ThrottlerMetrics) =>
      new MemoryHitLog({ maxEntries, onEvict: () => metrics.evicted() }),
  },
  {
    provide: KnownRefusals,
    inject: [ThrottlerConfig],
    useFactory: ({ rejectCacheEntries }: ThrottlerConfig) => new KnownRefusals(rejectCacheEntries),
  },
  {
    provide: ThrottlerSwitch,
    inject: [ThrottlerConfig, RedisConnections, MemoryHitLog, KnownRefusals],
    useFactory: (
      config: ThrottlerConfig,
      connections: RedisConnections,
      memory: MemoryHitLog,
      refusals: KnownRefusals,
    ) => {
      const log = bugLog('RoostThrottler', 'throttler.bug', 'The outage policy decides.');
      const backend = backendOf(config, connections);
      return new ThrottlerSwitch(backend, new RedisHitLog(backend.commands), memory, refusals, config, log);
    },
  },
  {
    provide: RoostThrottlerStorage,
    inject: [ThrottlerSwitch, ThrottlerMetrics],
    useFactory: (switched: ThrottlerSwitch, metrics: ThrottlerMetrics) => new RoostThrottlerStorage(switched, metrics),
  },
];

/**
 * Provides {@link RoostThrottlerStorage} to `ThrottlerModule`, and what {@link RoostThrottlerGuard} needs. Global; needs
 * `RedisModule`, and nothing of `ThrottleModule`.
 * @example imports: [RedisModule.forRoot({ url }), RoostThrottlerModule.forRoot(), ThrottlerModule.forRootAsync(…)]
 */
@Module({
  imports: [DiscoveryModule],
  providers: [ThrottlerMetrics, ThrottlerRoutes, ...providers],
  exports: [RoostThrottlerStorage, ThrottlerConfig, ThrottlerRoutes],
})
export class RoostThrottlerModule extends ConfigurableModuleClass implements OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly config: ThrottlerConfig,
    private readonly connections: RedisConnections,
    private readonly health: HealthRegistry,
    private readonly switched: ThrottlerSwitch,
    private readonly memory: MemoryHitLog,
    private readonly refusals: KnownRefusals,
  ) {
    super();
  }

  static forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }

  onModuleInit(): void {
    const { backend, replicas } = this.config;
    if (backend === 'redis') backendOf(this.config, this.connections).require('throttlers');
    this.health.contribute('throttler', () => ({
      status: this.switched.degraded ? 'degraded' : 'up',
      backend: this.switched.current,
      replicas,
      memoryEntries: this.memory.size,
      memoryEvicted: this.memory.evicted,
      knownRefusals: this.refusals.size,
    }));
  }

  onApplicationShutdown(): void {
    this.memory.close();
    this.refusals.clear();
  }
}

function backendOf({ connection }: ThrottlerConfig, connections: RedisConnections): Backend {
  return connections.get(connection).backend;
}
