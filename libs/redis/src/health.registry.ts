import { Injectable } from '@nestjs/common';

/** How one part of the application is: `degraded` serves by its outage policy, `down` does not serve. */
export interface HealthReport {
  readonly status: 'up' | 'degraded' | 'down';
  readonly [detail: string]: unknown;
}

/** Where each lib says how it is. Reports read state and never touch the network, so that a probe cannot hang. */
@Injectable()
export class HealthRegistry {
  readonly #contributors = new Map<string, () => HealthReport>();

  contribute(name: string, report: () => HealthReport): void {
    this.#contributors.set(name, report);
  }

  /** The present report of each contributor; one that throws is `down`. */
  reports(): Record<string, HealthReport> {
    return Object.fromEntries([...this.#contributors].map(([name, report]) => [name, safely(report)]));
  }
}

function safely(report: () => HealthReport): HealthReport {
  try {
    return report();
  } catch (error) {
    return { status: 'down', error: (error as Error).name };
  }
}
