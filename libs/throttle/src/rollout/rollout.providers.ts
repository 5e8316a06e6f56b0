import { Logger, type FactoryProvider, type Provider } from '@nestjs/common';
import { RedisConnections } from '@roost/redis';
import { RateLimitPolicies } from '../policies/rate-limit.policies.js';
import { RateLimitRoutes } from '../policies/rate-limit.routes.js';
import { ThrottleConfig } from '../throttle.config.js';
import { ThrottleMetrics } from '../throttle.metrics.js';
import { RateLimitControls } from './rate-limit.controls.js';
import { RateLimitRollout } from './rate-limit.rollout.js';
import { RateLimitStaging } from './rate-limit.staging.js';
import { SharedOrders } from './shared-orders.js';
import { StopLoss, type StopLossTrip } from './stop-loss.js';

const controls: FactoryProvider[] = [
  {
    provide: RateLimitControls,
    inject: [ThrottleConfig],
    useFactory: ({ canaryPercent }: ThrottleConfig) => new RateLimitControls(canaryPercent),
  },
  {
    provide: RateLimitStaging,
    inject: [RateLimitControls, ThrottleMetrics],
    useFactory: (controls: RateLimitControls, metrics: ThrottleMetrics) =>
      new RateLimitStaging(controls, (limit) => metrics.passedPaused(limit)),
  },
];

const rollout: FactoryProvider<RateLimitRollout> = {
  provide: RateLimitRollout,
  // The routes are injected because they complete the policies.
  inject: [ThrottleConfig, RedisConnections, RateLimitPolicies, RateLimitControls, ThrottleMetrics, RateLimitRoutes],
  useFactory: (
    config: ThrottleConfig,
    connections: RedisConnections,
    policies: RateLimitPolicies,
    controls: RateLimitControls,
    metrics: ThrottleMetrics,
  ) => {
    const { backend, pubsub } = connections.get(config.connection);
    const logger = new Logger('RateLimitRollout');
    const enabled = config.backend !== 'memory' && backend.configured;
    const stopLoss = new StopLoss(config.stopLoss, (trip) => {
      metrics.stoppedLoss();
      logger.error(...stopped(trip));
      made.refresh();
    });
    const made = new RateLimitRollout({
      policies,
      controls,
      stopLoss,
      canaryPercent: config.canaryPercent,
      logger,
      share: (told) => new SharedOrders(backend, pubsub, { enabled, ...told }),
    });
    return made;
  },
};

/** What can be changed while the service runs. */
export const rolloutProviders: readonly Provider[] = [...controls, rollout];

function stopped({ p95Ms, overMs, checks, slow }: StopLossTrip): [message: string, details: object] {
  return [
    `Redis is given up for being slow: ${slow} of ${checks} checks took ${p95Ms} ms or longer. This process decides alone until setCanaryPercent is called or it restarts.`,
    { event: 'throttle.stop-loss', p95_ms: p95Ms, over_ms: overMs, checks, slow },
  ];
}
