import { Controller, Get, Inject, Res, type OnModuleInit } from '@nestjs/common';
import { Metrics } from '@roost/redis';
import { collectDefaultMetrics } from 'prom-client';
import { HEALTH_SETTINGS } from './health.module-definition.js';
import type { HealthSettings } from './health.options.js';

/** The part of a response that Express and Fastify share. */
interface Response {
  header(name: string, value: string): unknown;
}

/** The metrics of this application in Prometheus' text format. */
@Controller()
export class MetricsController implements OnModuleInit {
  constructor(
    private readonly metrics: Metrics,
    @Inject(HEALTH_SETTINGS) private readonly settings: HealthSettings,
  ) {}

  onModuleInit(): void {
    if (this.settings.processMetrics) collectDefaultMetrics({ register: this.metrics.registry });
  }

  /** Everything that Prometheus scrapes. */
  @Get('metrics')
  async read(@Res({ passthrough: true }) response: Response): Promise<string> {
    response.header('Content-Type', this.metrics.registry.contentType);
    return this.metrics.registry.metrics();
  }
}
