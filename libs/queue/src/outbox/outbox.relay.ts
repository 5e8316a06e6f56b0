import type { LoggerService } from '@nestjs/common';
import { outsideRequests } from '@roost/redis';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { within } from '../jobs/deadline.js';
import type { JobDraft } from '../jobs/job-draft.js';
import { backOff, failureOf, settlementOf, type Delivery } from './delivery.js';
import type { OutboxMetrics } from './outbox.metrics.js';
import { OUTBOX_CHANNEL } from './outbox.sql.js';
import type { OutboxTable, Undelivered } from './outbox.table.js';
import { RelayLog, type RelayReport } from './relay-log.js';

export type { Delivery, RelayReport };

/** What an {@link OutboxRelay} is made of. */
export interface RelayParts {
  readonly table: OutboxTable;
  /** Adds drafts to the store, under their ids: what was added before is not added again. */
  readonly deliver: (drafts: readonly JobDraft[]) => Promise<readonly Delivery[]>;
  /** Whether the store can be reached, as far as is known; call `nudge` when it can be again. */
  readonly isServing: () => boolean;
  /** Calls `heard` at each notification on a channel, and when some may have been missed. Resolves to its end. */
  readonly listen: (channel: string, heard: () => void) => Promise<() => Promise<void>>;
  readonly metrics: OutboxMetrics;
  readonly logger: Pick<LoggerService, 'log' | 'warn' | 'error'>;
  /** What claims are known by. @default host, process and a UUID: unique among all processes, now and before */
  readonly relay?: string;
  /** How many drafts are delivered at once. @default 100 */
  readonly batch?: number;
  /** After how long the drafts of a relay that died are delivered by others, in ms. @default 30_000 */
  readonly leaseMs?: number;
  /** How often somebody looks when nothing was heard, in ms. @default 5_000 */
  readonly lookEveryMs?: number;
}

const ASK_WITHIN_MS = 5_000;
const RETRY_GRID_MS = 50;

/**
 * Moves drafts from the outbox to the store, at least once each: it forgets a draft after the store has taken it. Drafts
 * of one process are delivered oldest first; several processes share them.
 */
export class OutboxRelay {
  readonly #parts: Required<RelayParts>;
  readonly #log: RelayLog;
  /** When released drafts are due again: few points in time, however many drafts there are. */
  readonly #retries = new Set<number>();
  #state: 'new' | 'started' | 'stopped' = 'new';
  #wanted = false;
  #busy = false;
  #run: Promise<void> = Promise.resolve();
  #listening = false;
  #unlisten: (() => Promise<void>) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #measuredAt = -Infinity;

  constructor(parts: RelayParts) {
    const relay = `${hostname()}:${process.pid}:${randomUUID()}`;
    this.#parts = { relay, batch: 100, leaseMs: 30_000, lookEveryMs: 5_000, ...parts };
    this.#log = new RelayLog(parts.logger, parts.metrics);
  }

  start(): void {
    if (this.#state === 'new') this.#state = 'started';
    this.nudge();
  }

  /** Looks for drafts now, or once more when it is looking already. */
  nudge(): void {
    if (this.#state !== 'started') return;
    this.#wanted = true;
    if (!this.#busy) this.#run = outsideRequests(() => this.#drain());
  }

  report(): RelayReport {
    return this.#log.report;
  }

  /** Claims nothing more, and waits for so long for what is under way; others deliver the rest when the lease is over. */
  async stop(deadlineMs: number): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    clearTimeout(this.#timer);
    const ends = [this.#run, this.#unlisten?.() ?? Promise.resolve()];
    for (const end of await Promise.allSettled(ends.map((each) => within(deadlineMs, each)))) {
      if (end.status === 'rejected') this.#log.abandoned(end.reason);
    }
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    let sleepMs = this.#parts.lookEveryMs;
    try {
      while (this.#wanted && this.#state === 'started') {
        this.#wanted = false;
        this.#listen();
        if (this.#parts.isServing()) await this.#relayBatch();
        await this.#measure();
      }
      this.#failures = 0;
    } catch (error) {
      this.#log.lost(error);
      sleepMs = backOff(++this.#failures, 1_000);
    }
    // Not a microtask later: a nudge in between would be neither heard nor begin anew.
    this.#busy = false;
    this.#sleep(Math.min(sleepMs, ...[...this.#retries].map((at) => at - performance.now())));
  }

  #sleep(ms: number): void {
    if (this.#state !== 'started') return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.nudge(), ms);
  }

  async #relayBatch(): Promise<void> {
    const { table, relay, batch, leaseMs, deliver, isServing } = this.#parts;
    const begun = performance.now();
    const claimed = await this.#ask(table.claim(relay, batch, leaseMs));
    for (const at of this.#retries) if (at <= begun) this.#retries.delete(at);
    if (claimed.length === 0) return;
    if (claimed.length === batch) this.#wanted = true;
    const { delivered, undelivered } = await within(leaseMs, deliver(claimed)).then(
      (deliveries) => settlementOf(claimed, deliveries, isServing()),
      (error: unknown) => failureOf(claimed, error, isServing()),
    );
    await this.#ask(table.delete(relay, delivered));
    this.#log.relayed(delivered.length);
    await this.#ask(table.release(relay, undelivered));
    this.#log.undelivered(undelivered);
    this.#remind(undelivered);
  }

  /** Counted from now, when the pauses have surely begun by the clock of the database. */
  #remind(undelivered: readonly Undelivered[]): void {
    const now = performance.now();
    for (const { pauseMs } of undelivered) {
      if (pauseMs !== undefined) this.#retries.add(Math.ceil((now + pauseMs) / RETRY_GRID_MS) * RETRY_GRID_MS);
    }
  }

  async #measure(): Promise<void> {
    if (performance.now() < this.#measuredAt + this.#parts.lookEveryMs / 2) return;
    this.#log.measured(await this.#ask(this.#parts.table.depth()));
    this.#measuredAt = performance.now();
  }

  async #ask<T>(answer: Promise<T>): Promise<T> {
    const result = await within(ASK_WITHIN_MS, answer);
    this.#log.reached();
    return result;
  }

  /** Not waited for: who hears nothing looks now and then. */
  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#parts
      .listen(OUTBOX_CHANNEL, () => this.nudge())
      .then(async (unlisten) => {
        if (this.#state === 'stopped') return unlisten();
        this.#unlisten = unlisten;
        this.nudge(); // for what was committed before
      })
      .catch((error: unknown) => {
        this.#listening = false;
        if (this.#state === 'started') this.#log.deaf(error);
      });
  }
}
