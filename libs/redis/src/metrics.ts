import { Injectable } from '@nestjs/common';
import { Gauge, Registry, type Metric } from 'prom-client';
import { Counter, Histogram } from './instruments.js';
import { InvalidOptionsError } from './redis.errors.js';

/** Bucket edges in seconds: the limits that people alert on (10, 50, 100, 120 and 300 ms) are edges. */
export const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.12, 0.25, 0.3, 0.5, 1, 2.5];

/** The metrics of this application, and of no other in the process. Labels never hold a key, a user or an address. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();

  counter<const L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return this.#register(name, new Counter(name, help, labelNames));
  }

  histogram<const L extends string = never>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
    buckets: readonly number[] = LATENCY_BUCKETS,
  ): Histogram<L> {
    return this.#register(name, new Histogram(name, help, labelNames, buckets));
  }

  /** `collect` runs before each scrape. */
  gauge<const L extends string = never>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
    collect?: () => void,
  ): Gauge<L> {
    return new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      ...(collect && { collect }),
    });
  }

  /** @throws InvalidOptionsError for a name that is taken: that is how a module shows that is there twice. */
  #register<M>(name: string, metric: M): M {
    if (this.registry.getSingleMetric(name) !== undefined) {
      throw new InvalidOptionsError('Roost', [
        `There is a metric \`${name}\` already. Import each module of Roost once, in the root module: they are global`,
      ]);
    }
    this.registry.registerMetric(metric as unknown as Metric);
    return metric;
  }
}
