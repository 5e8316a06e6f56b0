import { Injectable } from '@nestjs/common';
import { Metrics } from '@roost/redis';

/** Who answered: Redis, this process, a refusal that is known here, or the outage policies `open` and `closed`. */
export type ThrottlerSource = 'redis' | 'memory' | 'cache' | 'open' | 'closed';

/** Counts what throttlers say. Labels are names of throttlers, never keys. */
@Injectable()
export class ThrottlerMetrics {
  readonly #decisions;
  readonly #evictions;
  readonly #series = new Map<string, { inc(): void }>();

  constructor(metrics: Metrics) {
    this.#decisions = metrics.counter(
      'roost_throttler_decisions_total',
      'What each throttler of @nestjs/throttler said; of a refused request only those that refused',
      ['throttler', 'state', 'source'],
    );
    this.#evictions = metrics.counter(
      'roost_throttler_memory_evictions_total',
      'Throttled keys forgotten before their time because this process remembers no more',
    );
  }

  decided(throttler: string, state: 'allow' | 'throttle', source: ThrottlerSource): void {
    const name = `${state} ${source} ${throttler}`;
    let series = this.#series.get(name);
    if (!series) this.#series.set(name, (series = this.#decisions.labels({ throttler, state, source })));
    series.inc();
  }

  evicted(): void {
    this.#evictions.inc({});
  }
}
