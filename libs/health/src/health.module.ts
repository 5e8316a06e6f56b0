import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { Connections } from './connections.js';
import { ConfigurableModuleClass, HEALTH_OPTIONS, HEALTH_SETTINGS } from './health.module-definition.js';
import { resolveHealthOptions } from './health.options.js';
import { Lifecycle } from './lifecycle.js';
import { MetricsController } from './metrics.controller.js';
import { ProbesController } from './probes.controller.js';
import { ProcessMetrics } from './process-metrics.js';
import { ReadinessService } from './readiness.js';

/**
 * The routes `/livez`, `/readyz`, `/startupz` and `/metrics`. Needs `RedisModule`, whose `HealthRegistry` and `Metrics`
 * it shows. Not global, and best imported last: Nest tells global modules last, and modules imported last first, that the
 * application stops, and `/readyz` should say so before anything else has stopped.
 * @example
 * HealthModule.forRoot({ drainMs: 5_000, processMetrics: true })
 */
@Module({
  // Silent, because Terminus would log every probe of an outage that has been announced once.
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [ProbesController, MetricsController],
  providers: [
    { provide: HEALTH_SETTINGS, inject: [HEALTH_OPTIONS], useFactory: resolveHealthOptions },
    Connections,
    Lifecycle,
    ProcessMetrics,
    ReadinessService,
  ],
  exports: [Lifecycle, ReadinessService],
})
export class HealthModule extends ConfigurableModuleClass {}
