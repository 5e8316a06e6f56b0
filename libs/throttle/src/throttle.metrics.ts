import { Injectable } from '@nestjs/common';
import { Metrics, type BackendName } from '@roost/redis';
import type { DecisionState } from './decision.js';

/** Of decisions that nobody had to wait for, one in so many is timed: reading the clock twice costs a fifth of one. */
const TIMED = 16;

/** Counts decisions. Labels are names of limits, never subjects. */
@Injectable()
export class ThrottleMetrics {
  readonly #decisions;
  readonly #duration;
  readonly #failOpen;
  readonly #evictions;
  #untimed = 0;
  #lastMs = 0;
  // The series by their labels, without a string or an object for each look-up.
  readonly #series: Record<BackendName, Record<DecisionState, Map<string, { inc(): void }>>> = {
    redis: { allow: new Map(), throttle: new Map(), block: new Map() },
    memory: { allow: new Map(), throttle: new Map(), block: new Map() },
  };

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
    const known = this.#series[backend][state];
    let series = known.get(policy);
    if (!series) known.set(policy, (series = this.#decisions.labels({ policy, state, backend })));
    series.inc();
  }

  /** Whether the next decision is to be timed even if nobody has to wait for it. */
  isTimed(): boolean {
    return this.#untimed++ % TIMED === 0;
  }

  /** How many ms a decision took that nobody had to wait for: when it was not timed, as many as the last that was. */
  tookAtOnce(startedAt: number | undefined): number {
    if (startedAt !== undefined) this.#lastMs = performance.now() - startedAt;
    return this.#lastMs;
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
