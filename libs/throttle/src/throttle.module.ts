import {
  Logger,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, MetadataScanner } from '@nestjs/core';
import { HealthRegistry, InvalidOptionsError, RedisConnections, type Backend } from '@roost/redis';
import { ClientAddresses } from './requests/client-address.resolver.js';
import { HeldCharges } from './switching/held-charges.js';
import { MemoryRateLimitStore } from './stores/memory-rate-limit.store.js';
import { RateLimitPolicies } from './policies/rate-limit.policies.js';
import { RateLimitRecords } from './switching/rate-limit.records.js';
import { RateLimitRoutes } from './policies/rate-limit.routes.js';
import { RateLimitStore } from './stores/rate-limit.store.js';
import { RateLimitSubjects } from './requests/rate-limit.subjects.js';
import { RateLimitSwitch } from './switching/rate-limit.switch.js';
import { RateLimiter } from './rate-limiter.service.js';
import { RedisOrders } from './switching/redis-orders.js';
import { RedisRateLimitStore } from './stores/redis-rate-limit.store.js';
import { repeatedly } from './switching/repeatedly.js';
import { Settlements } from './requests/settlements.js';
import { ThrottleConfig } from './throttle.config.js';
import { ThrottleMetrics } from './throttle.metrics.js';
import {
  ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  OPTIONS_TYPE,
  THROTTLE_OPTIONS,
} from './throttle.module-definition.js';
import type { ThrottleOptions } from './throttle.options.js';

const BUG_LOG_PAUSE_MS = 60_000;

/** The limits of the options and of all decorators, checked together so that one error names every problem. */
const routes: FactoryProvider<RateLimitRoutes> = {
  provide: RateLimitRoutes,
  inject: [ThrottleConfig, RateLimitPolicies, DiscoveryService, MetadataScanner],
  useFactory: (
    { problems }: ThrottleConfig,
    policies: RateLimitPolicies,
    discovery: DiscoveryService,
    scanner: MetadataScanner,
  ) => {
    const found = new RateLimitRoutes(policies);
    const all = [...problems];
    found.discover(discovery, scanner, all);
    if (all.length > 0) throw new InvalidOptionsError('ThrottleModule', all);
    return found;
  },
};

const stores: FactoryProvider[] = [
  {
    provide: RateLimitStore,
    inject: [ThrottleConfig, RedisConnections],
    useFactory: (config: ThrottleConfig, connections: RedisConnections) =>
      new RedisRateLimitStore(backendOf(config, connections).commands),
  },
  {
    provide: MemoryRateLimitStore,
    inject: [ThrottleConfig, ThrottleMetrics],
    useFactory: ({ memoryMaxEntries }: ThrottleConfig, metrics: ThrottleMetrics) =>
      new MemoryRateLimitStore({ maxEntries: memoryMaxEntries, onEvict: () => metrics.evicted() }),
  },
];

const switching: FactoryProvider[] = [
  {
    provide: RateLimitSwitch,
    // The routes are injected to be checked before anything is built on wrong options.
    inject: [ThrottleConfig, RedisConnections, RateLimitStore, MemoryRateLimitStore, RateLimitRoutes],
    useFactory: (
      config: ThrottleConfig,
      connections: RedisConnections,
      redis: RateLimitStore,
      memory: MemoryRateLimitStore,
    ) => {
      const options = { mode: config.backend, replicas: config.replicas, canaryPercent: config.canaryPercent };
      return new RateLimitSwitch(backendOf(config, connections), redis, memory, options, bugLog());
    },
  },
  {
    provide: RedisOrders,
    inject: [ThrottleConfig, RedisConnections, RateLimitStore],
    useFactory: (config: ThrottleConfig, connections: RedisConnections, redis: RateLimitStore) =>
      new RedisOrders(backendOf(config, connections), redis, bugLog()),
  },
  {
    provide: HeldCharges,
    inject: [RateLimitStore, MemoryRateLimitStore, RedisOrders],
    useFactory: (redis: RateLimitStore, memory: MemoryRateLimitStore, orders: RedisOrders) =>
      new HeldCharges(redis, memory, orders, bugLog()),
  },
  {
    provide: RateLimitRecords,
    inject: [ThrottleConfig, RedisConnections, RateLimitStore, MemoryRateLimitStore, RedisOrders, RateLimitSubjects],
    useFactory: (
      config: ThrottleConfig,
      connections: RedisConnections,
      redis: RateLimitStore,
      memory: MemoryRateLimitStore,
      orders: RedisOrders,
      subjects: RateLimitSubjects,
    ) => new RateLimitRecords(backendOf(config, connections), redis, memory, orders, subjects, config.backend),
  },
];

/**
 * Rate limits for the whole application. Global; needs `RedisModule`.
 * @example
 * ThrottleModule.forRoot({ policies: { search: { limit: 100, window: '1m', key: 'user' } } })
 */
@Module({
  imports: [DiscoveryModule],
  providers: [
    {
      provide: ThrottleConfig,
      inject: [THROTTLE_OPTIONS],
      useFactory: (options: ThrottleOptions) => new ThrottleConfig(options),
    },
    {
      provide: RateLimitPolicies,
      inject: [ThrottleConfig],
      useFactory: (config: ThrottleConfig) => new RateLimitPolicies(config),
    },
    routes,
    ...stores,
    ...switching,
    ClientAddresses,
    RateLimitSubjects,
    ThrottleMetrics,
    RateLimiter,
    Settlements,
  ],
  exports: [RateLimiter, RateLimitRoutes, RateLimitSubjects, ClientAddresses, Settlements, ThrottleConfig],
})
export class ThrottleModule extends ConfigurableModuleClass implements OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly config: ThrottleConfig,
    private readonly connections: RedisConnections,
    private readonly health: HealthRegistry,
    private readonly switched: RateLimitSwitch,
    private readonly memory: MemoryRateLimitStore,
    private readonly orders: RedisOrders,
    private readonly held: HeldCharges,
  ) {
    super();
  }

  /** With no options there are no named policies: limits are written in place. */
  static forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }

  onModuleInit(): void {
    const { backend, replicas, canaryPercent } = this.config;
    if (backend === 'redis') backendOf(this.config, this.connections).require('rate limits');
    this.health.contribute('throttle', () => ({
      status: this.switched.degraded ? 'degraded' : 'up',
      backend: this.switched.current,
      replicas,
      canaryPercent,
      memoryEntries: this.memory.size,
      memoryEvicted: this.memory.evicted,
    }));
  }

  onApplicationShutdown(): void {
    this.held.close();
    this.orders.close();
    this.memory.close();
  }
}

function backendOf({ connection }: ThrottleConfig, connections: RedisConnections): Backend {
  return connections.get(connection).backend;
}

function bugLog(): (error: unknown) => void {
  const logger = new Logger('RateLimiter');
  return repeatedly(BUG_LOG_PAUSE_MS, (error: unknown, suppressed: number) =>
    logger.error('Redis refused to count: a bug. The outage policies decide.', {
      event: 'throttle.bug',
      error: (error as Error).message,
      suppressed,
    }),
  );
}
