import type { FactoryProvider, Provider } from '@nestjs/common';
import { RedisConnections } from '@roost/redis';
import { RateLimitStore } from '../stores/rate-limit.store.js';
import { RedisRateLimitStore } from '../stores/redis-rate-limit.store.js';
import { ReplicaCensus } from '../switching/replica-census.js';
import { ThrottleConfig } from '../throttle.config.js';
import { ThrottleMetrics } from '../throttle.metrics.js';
import { RateLimitShortcuts } from './rate-limit.shortcuts.js';

const shortcuts: FactoryProvider<RateLimitShortcuts> = {
  provide: RateLimitShortcuts,
  inject: [ThrottleConfig, RedisConnections, ReplicaCensus, ThrottleMetrics],
  useFactory: (
    { connection: name, rejectCacheEntries }: ThrottleConfig,
    connections: RedisConnections,
    census: ReplicaCensus,
    metrics: ThrottleMetrics,
  ) => {
    const connection = connections.get(name);
    const store = new RedisRateLimitStore(connection.backend.commands);
    const processes = () => census.replicas;
    return new RateLimitShortcuts(connection, store, { rejectCacheEntries, processes }, metrics);
  },
};

const store: FactoryProvider<RateLimitStore> = {
  provide: RateLimitStore,
  inject: [RateLimitShortcuts],
  useFactory: ({ store }: RateLimitShortcuts) => store,
};

/** The store on Redis, and what saves it work. */
export const shortcutsProviders: readonly Provider[] = [shortcuts, store];
