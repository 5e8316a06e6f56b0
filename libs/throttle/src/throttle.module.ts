import {
  Module,
  type DynamicModule,
  type FactoryProvider,
  type NestModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, HttpAdapterHost, MetadataScanner } from '@nestjs/core';
import { HealthRegistry, InvalidOptionsError, RedisConnections, type Backend } from '@roost/redis';
import { ClientAddresses } from './requests/client-address.resolver.js';
import { EarlyRefusals } from './requests/early-refusals.js';
import { HeldCharges } from './switching/held-charges.js';
import { MemoryRateLimitStore } from './stores/memory-rate-limit.store.js';
import { RateLimitPolicies } from './policies/rate-limit.policies.js';
import { RateLimitRecords } from './switching/rate-limit.records.js';
import { RateLimitRoutes } from './policies/rate-limit.routes.js';
import { RateLimitStore } from './stores/rate-limit.store.js';
import { RateLimitSubjects } from './requests/rate-limit.subjects.js';
import { RateLimitBugs } from './switching/rate-limit.bugs.js';
import { RateLimitRollout } from './rollout/rate-limit.rollout.js';
import { RateLimitSwitch } from './switching/rate-limit.switch.js';
import { InsuranceRateLimitStore } from './switching/insurance-rate-limit.store.js';
import { OutageDebts } from './switching/outage-debts.js';
import { ReplicaCensus } from './switching/replica-census.js';
import { rolloutProviders } from './rollout/rollout.providers.js';
import { switchingProviders } from './switching/switching.providers.js';
import { RateLimiter } from './rate-limiter.service.js';
import { RedisOrders } from './switching/redis-orders.js';
import { RateLimitShortcuts } from './shortcuts/rate-limit.shortcuts.js';
import { shortcutsProviders } from './shortcuts/shortcuts.providers.js';
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
    provide: MemoryRateLimitStore,
    inject: [ThrottleConfig, ThrottleMetrics],
    useFactory: ({ memoryMaxEntries }: ThrottleConfig, metrics: ThrottleMetrics) =>
      new MemoryRateLimitStore({ maxEntries: memoryMaxEntries, onEvict: () => metrics.evicted() }),
  },
];

const switching: FactoryProvider[] = [
  {
    provide: RedisOrders,
    inject: [ThrottleConfig, RedisConnections, RateLimitStore, RateLimitBugs],
    useFactory: (
      config: ThrottleConfig,
      connections: RedisConnections,
      redis: RateLimitStore,
      { report }: RateLimitBugs,
    ) => new RedisOrders(backendOf(config, connections), redis, report),
  },
  {
    provide: HeldCharges,
    inject: [RateLimitStore, MemoryRateLimitStore, InsuranceRateLimitStore, RedisOrders, RateLimitBugs, EarlyRefusals],
    useFactory: (
      redis: RateLimitStore,
      memory: MemoryRateLimitStore,
      insurance: InsuranceRateLimitStore,
      orders: RedisOrders,
      { report }: RateLimitBugs,
      early: EarlyRefusals,
    ) => new HeldCharges({ redis, memory, insurance }, orders, report, (keys) => early.forget(keys)),
  },
  {
    provide: RateLimitRecords,
    inject: [
      ThrottleConfig,
      RedisConnections,
      RateLimitStore,
      MemoryRateLimitStore,
      InsuranceRateLimitStore,
      RedisOrders,
      RateLimitSubjects,
      EarlyRefusals,
    ],
    useFactory: (
      config: ThrottleConfig,
      connections: RedisConnections,
      redis: RateLimitStore,
      memory: MemoryRateLimitStore,
      insurance: InsuranceRateLimitStore,
      orders: RedisOrders,
      subjects: RateLimitSubjects,
      early: EarlyRefusals,
    ) =>
      new RateLimitRecords(
        backendOf(config, connections),
        redis,
        [memory, insurance],
        orders,
        subjects,
        config.backend,
        (keys) => early.forget(keys),
      ),
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
    ...shortcutsProviders,
    ...switching,
    ...switchingProviders,
    ...rolloutProviders,
    ClientAddresses,
    RateLimitSubjects,
    EarlyRefusals,
    ThrottleMetrics,
    RateLimiter,
    Settlements,
  ],
  exports: [
    RateLimiter,
    RateLimitRollout,
    RateLimitRoutes,
    RateLimitSubjects,
    ClientAddresses,
    EarlyRefusals,
    Settlements,
    ThrottleConfig,
  ],
})
export class ThrottleModule extends ConfigurableModuleClass implements NestModule, OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly config: ThrottleConfig,
    private readonly connections: RedisConnections,
    private readonly health: HealthRegistry,
    private readonly switched: RateLimitSwitch,
    private readonly memory: MemoryRateLimitStore,
    private readonly orders: RedisOrders,
    private readonly held: HeldCharges,
    private readonly insurance: InsuranceRateLimitStore,
    private readonly census: ReplicaCensus,
    private readonly debts: OutageDebts,
    private readonly rollout: RateLimitRollout,
    private readonly metrics: ThrottleMetrics,
    private readonly shortcuts: RateLimitShortcuts,
    private readonly early: EarlyRefusals,
    private readonly adapters: HttpAdapterHost,
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

  /** Nest calls this after the application's own hooks were added to the server, and before its routes. */
  configure(): void {
    this.early.serve(this.adapters.httpAdapter);
  }

  onModuleInit(): void {
    if (this.config.backend === 'redis') backendOf(this.config, this.connections).require('rate limits');
    const { switched, memory, insurance, census, debts, rollout } = this;
    // What was refused may pass by the new orders.
    rollout.onChange(() => this.shortcuts.refusals.forgetAll());
    this.metrics.show({
      get replicas() {
        return census.replicas;
      },
      get debts() {
        return debts.size;
      },
      get canaryPercent() {
        return rollout.state().canaryPercent;
      },
    });
    this.health.contribute('throttle', () => {
      const { paused, canaryPercent, stopLoss } = rollout.state();
      return {
        status: switched.degraded || paused || stopLoss !== null ? 'degraded' : 'up',
        backend: switched.current,
        replicas: census.replicas,
        canaryPercent,
        paused,
        stopLoss,
        memoryEntries: memory.size + insurance.size,
        memoryEvicted: memory.evicted + insurance.evicted,
        refusalsKnown: this.shortcuts.refusals.size,
      };
    });
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
