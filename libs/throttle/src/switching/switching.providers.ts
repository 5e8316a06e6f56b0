import type { FactoryProvider, Provider } from '@nestjs/common';
import { RedisConnections, type Backend } from '@roost/redis';
import { RateLimitRoutes } from '../policies/rate-limit.routes.js';
import { RateLimitControls } from '../rollout/rate-limit.controls.js';
import { RateLimitRollout } from '../rollout/rate-limit.rollout.js';
import { RateLimitStaging } from '../rollout/rate-limit.staging.js';
import { MemoryRateLimitStore } from '../stores/memory-rate-limit.store.js';
import { RateLimitStore } from '../stores/rate-limit.store.js';
import { ThrottleConfig } from '../throttle.config.js';
import { ThrottleMetrics } from '../throttle.metrics.js';
import { InsuranceRateLimitStore } from './insurance-rate-limit.store.js';
import { OutageDebts } from './outage-debts.js';
import { RateLimitBugs } from './rate-limit.bugs.js';
import { RateLimitOutages } from './rate-limit.outages.js';
import { RateLimitSwitch, type SwitchSettings } from './rate-limit.switch.js';
import { ReplicaCensus } from './replica-census.js';

const insurance: FactoryProvider<InsuranceRateLimitStore> = {
  provide: InsuranceRateLimitStore,
  inject: [ThrottleConfig, ThrottleMetrics],
  useFactory: ({ memoryMaxEntries }: ThrottleConfig, metrics: ThrottleMetrics) =>
    new InsuranceRateLimitStore({ maxEntries: memoryMaxEntries, onEvict: () => metrics.evicted() }),
};

const debts: FactoryProvider<OutageDebts> = {
  provide: OutageDebts,
  inject: [ThrottleConfig, RedisConnections, RateLimitStore, InsuranceRateLimitStore, ThrottleMetrics, RateLimitBugs],
  useFactory: (
    config: ThrottleConfig,
    connections: RedisConnections,
    redis: RateLimitStore,
    store: InsuranceRateLimitStore,
    metrics: ThrottleMetrics,
    bugs: RateLimitBugs,
  ) => {
    const { commands } = backendOf(config, connections);
    return new OutageDebts(redis, store, {
      maxEntries: config.memoryMaxEntries,
      redisNowUs: async () => {
        const [seconds, micros] = await commands.read<[string, string]>('TIME');
        return Number(seconds) * 1e6 + Number(micros);
      },
      onSettled: (outcome, requests) => metrics.settledDebt(outcome, requests),
      onBug: bugs.report,
    });
  },
};

const census: FactoryProvider<ReplicaCensus> = {
  provide: ReplicaCensus,
  inject: [ThrottleConfig, RedisConnections, RateLimitBugs],
  useFactory: (config: ThrottleConfig, connections: RedisConnections, bugs: RateLimitBugs) =>
    new ReplicaCensus(backendOf(config, connections), { atLeast: config.replicas, onBug: bugs.report }),
};

const outages: FactoryProvider<RateLimitOutages> = {
  provide: RateLimitOutages,
  inject: [ThrottleConfig, RedisConnections, ReplicaCensus, OutageDebts, InsuranceRateLimitStore],
  useFactory: (
    config: ThrottleConfig,
    connections: RedisConnections,
    replicas: ReplicaCensus,
    owed: OutageDebts,
    store: InsuranceRateLimitStore,
  ) => {
    const backend = backendOf(config, connections);
    return new RateLimitOutages(backend, replicas, owed, store, config.backend !== 'memory' && backend.configured);
  },
};

const switched: FactoryProvider<RateLimitSwitch> = {
  provide: RateLimitSwitch,
  inject: [
    ThrottleConfig,
    RedisConnections,
    RateLimitStore,
    MemoryRateLimitStore,
    InsuranceRateLimitStore,
    OutageDebts,
    ReplicaCensus,
    RateLimitControls,
    RateLimitStaging,
    RateLimitRollout,
    ThrottleMetrics,
    RateLimitBugs,
    RateLimitRoutes, // to be checked before anything is built on wrong options
  ],
  useFactory: (
    config: ThrottleConfig,
    connections: RedisConnections,
    redis: RateLimitStore,
    memory: MemoryRateLimitStore,
    store: InsuranceRateLimitStore,
    owed: OutageDebts,
    replicas: ReplicaCensus,
    controls: RateLimitControls,
    staging: RateLimitStaging,
    rollout: RateLimitRollout,
    metrics: ThrottleMetrics,
    bugs: RateLimitBugs,
  ) =>
    new RateLimitSwitch({
      backend: backendOf(config, connections),
      stores: { redis, memory, insurance: store },
      settings: new LiveSettings(config.backend, replicas, controls),
      staging,
      onGranted: (request, quota, unsure) => owed.note(request, quota, unsure),
      onChecked: (ms) => rollout.checked(ms),
      onWouldReject: (limit) => metrics.wouldReject(limit),
      onBug: bugs.report,
    }),
};

/** A class, because the getters of a plain object would cost more than what they read. */
class LiveSettings implements SwitchSettings {
  constructor(
    readonly mode: SwitchSettings['mode'],
    private readonly census: ReplicaCensus,
    private readonly controls: RateLimitControls,
  ) {}

  get replicas(): number {
    return this.census.replicas;
  }

  get canaryPercent(): number {
    return this.controls.canaryPercent;
  }
}

/** What decides where a request is counted, and what becomes of an outage. */
export const switchingProviders: readonly Provider[] = [RateLimitBugs, insurance, debts, census, outages, switched];

function backendOf({ connection }: ThrottleConfig, connections: RedisConnections): Backend {
  return connections.get(connection).backend;
}
