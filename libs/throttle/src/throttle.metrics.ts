import { Injectable } from '@nestjs/common';
import { Metrics, type BackendName } from '@roost/redis';
import type { DecisionState } from './decision.js';

/** Counts decisions. Labels are names of limits, never subjects. */
@Injectable()
export class ThrottleMetrics {
  readonly #decisions;
  readonly #duration;
  readonly #failOpen;
  readonly #evictions;
  // prom-client hashes label objects at each call; its children are kept instead, one per combination that occurs.
  readonly #children = new Map<string, { inc(): void }>();

  constructor(metrics: Metrics) {
    this.#decisions = metrics.counter(
      'roost_rate_limit_decisions_total',
      'Decisions of each limit; of a refused request only those that objected',
      ['policy', 'state', 'backend'],
    );
    const duration = metrics.histogram('roost_rate_limit_check_duration_seconds', 'Time to decide about a request', [
      'backend',
    ]);
    this.#duration = { redis: duration.labels({ backend: 'redis' }), memory: duration.labels({ backend: 'memory' }) };
    this.#failOpen = metrics.counter(
      'roost_rate_limit_fail_open_total',
      'Requests let through uncounted because Redis was lost',
      ['policy'],
    );
    this.#evictions = metrics.counter(
      'roost_rate_limit_memory_evictions_total',
      'Limits forgotten before their time because the in-memory store was full',
    );
  }

  decided(policy: string, state: DecisionState, backend: BackendName): void {
    const key = `${state} ${backend} ${policy}`;
    let child = this.#children.get(key);
    if (!child) this.#children.set(key, (child = this.#decisions.labels({ policy, state, backend })));
    child.inc();
  }

  took(seconds: number, backend: BackendName): void {
    this.#duration[backend].observe(seconds);
  }

  failedOpen(policy: string): void {
    this.#failOpen.inc({ policy });
  }

  evicted(): void {
    this.#evictions.inc({});
  }
}
