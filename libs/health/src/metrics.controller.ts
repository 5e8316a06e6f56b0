import { Controller, Get, Res } from '@nestjs/common';
import { Metrics } from '@roost/redis';
import { ProcessMetrics } from './process-metrics.js';

/** The part of a response that Express and Fastify share. */
interface Response {
  header(name: string, value: string): unknown;
}

/** The metrics of this application in Prometheus' text format. */
@Controller()
export class MetricsController {
  constructor(
    private readonly metrics: Metrics,
    private readonly process: ProcessMetrics,
  ) {}

  /** Everything that Prometheus scrapes. */
  @Get('metrics')
  async read(@Res({ passthrough: true }) response: Response): Promise<string> {
    this.process.read();
    response.header('Content-Type', this.metrics.registry.contentType);
    return this.metrics.registry.metrics();
  }
}
