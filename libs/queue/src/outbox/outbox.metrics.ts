import { Injectable } from '@nestjs/common';
import { Metrics } from '@roost/redis';
import type { OutboxDepth } from './outbox.table.js';

/** What the outbox tells of itself. The gauges are of the table, and so the same in each process that relays. */
@Injectable()
export class OutboxMetrics {
  readonly #waiting;
  readonly #oldest;
  readonly #relayed;
  readonly #dead;

  constructor(metrics: Metrics) {
    this.#waiting = metrics.gauge('roost_outbox_waiting', 'Jobs that wait in the outbox');
    this.#oldest = metrics.gauge('roost_outbox_oldest_seconds', 'Age of the job that waits longest in the outbox');
    this.#relayed = metrics.counter('roost_outbox_relayed_total', 'Jobs that this process moved to their store');
    this.#dead = metrics.counter('roost_outbox_dead_total', 'Jobs that their store refused for good');
  }

  measured({ waiting, oldestAgeMs }: OutboxDepth): void {
    this.#waiting.set(waiting);
    this.#oldest.set(oldestAgeMs / 1_000);
  }

  relayed(count: number): void {
    this.#relayed.inc({}, count);
  }

  died(count: number): void {
    this.#dead.inc({}, count);
  }
}
