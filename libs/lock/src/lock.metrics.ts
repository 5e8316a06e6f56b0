import { Injectable } from '@nestjs/common';
import { LATENCY_BUCKETS, Metrics } from '@roost/redis';
import { LockBusyError, LockError, type LockLossReason } from './lock.errors.js';
import type { ExtendOutcome, LockKind, LockStoreName } from './stores/lock.store.js';

/** What became of asking for a lock. */
type Asked = 'granted' | 'busy' | 'failed';

/** What the gauges show at each scrape. */
interface ShownGauges {
  readonly held: number;
  readonly waiting: number;
  readonly leaving: number;
}

/** What locks tell of themselves; never which lock. */
@Injectable()
export class LockMetrics {
  readonly #asked;
  readonly #wait;
  readonly #held;
  readonly #lost;
  readonly #renewals;
  readonly #forced;
  #shown: ShownGauges = { held: 0, waiting: 0, leaving: 0 };

  constructor(metrics: Metrics) {
    this.#asked = metrics.counter('roost_lock_acquires_total', 'Locks asked for, by what became of it', [
      'kind',
      'outcome',
    ]);
    this.#wait = metrics.histogram(
      'roost_lock_wait_seconds',
      'Time from asking for a lock to its grant',
      ['kind', 'backend'],
      LATENCY_BUCKETS,
    );
    this.#held = metrics.histogram(
      'roost_lock_hold_seconds',
      'Time from the grant of a lock to its release or loss',
      ['kind'],
      LATENCY_BUCKETS,
    );
    this.#lost = metrics.counter('roost_lock_lost_total', 'Locks that were lost before their release', ['reason']);
    this.#renewals = metrics.counter('roost_lock_renewals_total', 'Renewals of locks by their outcome', ['outcome']);
    this.#forced = metrics.counter('roost_lock_forced_total', 'Locks that an operator took away');
    this.#gauge(metrics, 'roost_lock_held', 'held', 'Locks that this process holds');
    this.#gauge(metrics, 'roost_lock_waiting', 'waiting', 'Callers in this process that wait for a lock');
    const leaving = 'Claims that were given up, of which the store is yet to be told';
    this.#gauge(metrics, 'roost_lock_leaving', 'leaving', leaving);
  }

  /** Where the gauges are read from at each scrape. */
  show(shown: ShownGauges): void {
    this.#shown = shown;
  }

  granted(kind: LockKind, backend: LockStoreName, waitedMs: number): void {
    this.#asked.inc({ kind, outcome: 'granted' satisfies Asked });
    this.#wait.labels({ kind, backend }).observe(waitedMs / 1_000);
  }

  refused(kind: LockKind, error: unknown): void {
    const outcome: Asked = error instanceof LockBusyError ? 'busy' : 'failed';
    if (error instanceof LockError) this.#asked.inc({ kind, outcome });
  }

  ended(kind: LockKind, heldMs: number): void {
    this.#held.labels({ kind }).observe(heldMs / 1_000);
  }

  lost(reason: LockLossReason): void {
    this.#lost.inc({ reason });
  }

  renewed(outcome: ExtendOutcome | 'failed'): void {
    this.#renewals.inc({ outcome });
  }

  forced(): void {
    this.#forced.inc({});
  }

  #gauge(metrics: Metrics, name: string, of: keyof ShownGauges, help: string): void {
    const gauge: { set(value: number): void } = metrics.gauge(name, help, [], () => gauge.set(this.#shown[of]));
  }
}
