import { Injectable } from '@nestjs/common';
import { Metrics, type BackendName } from '@roost/redis';
import type { DebtOutcome } from './switching/outage-debts.js';
import type { DecisionState } from './decision.js';

/** Shares of a limit that are left; what is at most a fifth is near the limit. */
const REMAINING_BUCKETS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/** Of decisions that nobody had to wait for, one in so many is timed: reading the clock twice costs a fifth of one. */
const TIMED = 16;

/** What the gauges show. */
export interface ShownGauges {
  readonly replicas: number;
  readonly debts: number;
  readonly canaryPercent: number;
}

interface Passes {
  readonly decisions: { inc(): void };
  readonly remaining: { observe(ratio: number): void };
}

type Gauge = ReturnType<Metrics['gauge']>;

/** Counts decisions. Labels are names of limits, never subjects. */
@Injectable()
export class ThrottleMetrics {
  readonly #decisions;
  readonly #duration;
  readonly #failOpen;
  readonly #evictions;
  #untimed = 0;
  #lastMs = 0;
  readonly #remaining;
  readonly #wouldReject;
  readonly #paused;
  readonly #debts;
  readonly #stopLosses;
  readonly #replicas: Gauge;
  readonly #owed: Gauge;
  readonly #canary: Gauge;
  #shown: ShownGauges = { replicas: 0, debts: 0, canaryPercent: 0 };
  readonly #local;
  // The series by their labels, without a string or an object for each look-up.
  readonly #series: Record<BackendName, Record<DecisionState, Map<string, { inc(): void }>>> = {
    redis: { allow: new Map(), throttle: new Map(), block: new Map() },
    memory: { allow: new Map(), throttle: new Map(), block: new Map() },
  };
  readonly #passes: Record<BackendName, Map<string, Passes>> = { redis: new Map(), memory: new Map() };

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
    const local = metrics.counter(
      'roost_rate_limit_local_decisions_total',
      'Decisions that Redis did not have to be asked for: known refusals, and units taken before',
      ['shortcut'],
    );
    this.#local = {
      'reject-cache': local.labels({ shortcut: 'reject-cache' }),
      lease: local.labels({ shortcut: 'lease' }),
    };
    this.#remaining = metrics.histogram(
      'roost_rate_limit_remaining_ratio',
      'What was left of each limit after a request passed, as a share of it',
      ['policy'],
      REMAINING_BUCKETS,
    );
    this.#wouldReject = metrics.counter(
      'roost_rate_limit_would_reject_total',
      'Requests that a limit in trial would have refused',
      ['policy'],
    );
    this.#paused = metrics.counter(
      'roost_rate_limit_paused_total',
      'Requests let through uncounted because an operator paused all limits',
      ['policy'],
    );
    this.#debts = metrics.counter(
      'roost_rate_limit_debt_total',
      'Requests granted alone in an outage, by what became of charging them in Redis afterwards',
      ['outcome'],
    );
    this.#stopLosses = metrics.counter(
      'roost_rate_limit_stop_loss_total',
      'Times in which Redis was given up for being slow',
    );
    this.#replicas = metrics.gauge('roost_rate_limit_replicas', 'Processes that share the limits', [], () =>
      this.#replicas.set(this.#shown.replicas),
    );
    this.#owed = metrics.gauge(
      'roost_rate_limit_debts',
      'Limits of which Redis is yet to be told what was granted alone',
      [],
      () => this.#owed.set(this.#shown.debts),
    );
    this.#canary = metrics.gauge(
      'roost_rate_limit_canary_percent',
      'Percentage of subjects that Redis decides',
      [],
      () => this.#canary.set(this.#shown.canaryPercent),
    );
  }

  /** Where the gauges are read from at each scrape. */
  show(shown: ShownGauges): void {
    this.#shown = shown;
  }

  /** Counts a decision that Redis was not asked for. */
  decidedHere(shortcut: 'reject-cache' | 'lease'): void {
    this.#local[shortcut].inc();
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

  /** A request passed a limit, and left this share of it. */
  passed(policy: string, backend: BackendName, left: number): void {
    const known = this.#passes[backend];
    let series = known.get(policy);
    if (!series) {
      const decisions = this.#decisions.labels({ policy, state: 'allow', backend });
      known.set(policy, (series = { decisions, remaining: this.#remaining.labels({ policy }) }));
    }
    series.decisions.inc();
    series.remaining.observe(left);
  }

  wouldReject(policy: string): void {
    this.#wouldReject.inc({ policy });
  }

  passedPaused(policy: string): void {
    this.#paused.inc({ policy });
  }

  settledDebt(outcome: DebtOutcome, requests: number): void {
    this.#debts.inc({ outcome }, requests);
  }

  stoppedLoss(): void {
    this.#stopLosses.inc({});
  }
}
