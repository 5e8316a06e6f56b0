import { HttpException, Injectable } from '@nestjs/common';
import { HealthCheckService, type HealthIndicatorFunction } from '@nestjs/terminus';
import { HealthRegistry, type HealthReport } from '@roost/redis';
import { Lifecycle } from './lifecycle.js';
import { publicReport } from './public-report.js';

export type ReadinessStatus = 'ok' | 'degraded' | 'error' | 'shutting_down';

/** Whether this process should be sent requests, and how each part of it is. */
export interface Readiness {
  readonly status: ReadinessStatus;
  readonly details: Readonly<Record<string, HealthReport>>;
}

/** Reads what the libs report. No part is asked over the network, so that a probe never waits for what it probes. */
@Injectable()
export class ReadinessService {
  constructor(
    private readonly registry: HealthRegistry,
    private readonly checks: HealthCheckService,
    private readonly lifecycle: Lifecycle,
  ) {}

  async read(): Promise<Readiness> {
    const checks = Object.entries(this.registry.reports()).map(([name, report]): HealthIndicatorFunction => () => ({
      [name]: publicReport(report),
    }));
    const { status, details } = await this.checks.check(checks).catch(resultOf);
    // Terminus learns of a shutdown only after all modules have been told to stop taking work: that may take a while.
    return { status: this.lifecycle.stopping ? 'shutting_down' : status, details };
  }
}

/** Terminus throws its result when it is bad news. */
function resultOf(error: unknown): Readiness {
  if (error instanceof HttpException) return error.getResponse() as Readiness;
  throw error;
}
