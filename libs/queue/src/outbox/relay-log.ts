import type { LoggerService } from '@nestjs/common';
import type { OutboxMetrics } from './outbox.metrics.js';
import type { OutboxDepth, Undelivered } from './outbox.table.js';

/** How relaying goes. */
export interface RelayReport extends OutboxDepth {
  /** Why the database cannot be reached; undefined when it could be the last time. */
  readonly trouble: string | undefined;
}

const WARN_EVERY_MS = 60_000;

/** What a relay tells of itself: by log, metrics and report. */
export class RelayLog {
  #report: RelayReport = { waiting: 0, oldestAgeMs: 0, dead: 0, trouble: undefined };
  #warnedAt = -Infinity;
  #deaf = false;

  constructor(
    private readonly logger: Pick<LoggerService, 'log' | 'warn' | 'error'>,
    private readonly metrics: OutboxMetrics,
  ) {}

  get report(): RelayReport {
    return this.#report;
  }

  measured(depth: OutboxDepth): void {
    this.metrics.measured(depth);
    this.#report = { ...depth, trouble: this.#report.trouble };
  }

  relayed(count: number): void {
    this.metrics.relayed(count);
  }

  /** Of drafts that died each time; of others now and then, or an outage would fill the log. */
  undelivered(undelivered: readonly Undelivered[]): void {
    const dead = undelivered.filter(({ pauseMs }) => pauseMs === undefined);
    this.metrics.died(dead.length);
    for (const each of dead) {
      this.logger.error('A job stays in the outbox for good: its store refuses it.', draftAbout('outbox.dead', each));
    }
    const later = undelivered.find(({ pauseMs }) => pauseMs !== undefined);
    if (later === undefined || performance.now() < this.#warnedAt + WARN_EVERY_MS) return;
    this.#warnedAt = performance.now();
    this.logger.warn('Jobs stay in the outbox for now.', draftAbout('outbox.delayed', later));
  }

  lost(error: unknown): void {
    if (this.#report.trouble === undefined) {
      this.logger.warn('The outbox cannot be reached.', { event: 'outbox.unreachable', error: messageOf(error) });
    }
    this.#report = { ...this.#report, trouble: messageOf(error) };
  }

  reached(): void {
    if (this.#report.trouble === undefined) return;
    this.logger.log('The outbox can be reached again.', { event: 'outbox.reachable' });
    this.#report = { ...this.#report, trouble: undefined };
  }

  /** Without notifications jobs come a few seconds late; told of once. */
  deaf(error: unknown): void {
    if (!this.#deaf) {
      const about = { event: 'outbox.deaf', error: messageOf(error) };
      this.logger.warn('The outbox hears of no commit, and is looked at now and then.', about);
    }
    this.#deaf = true;
  }

  abandoned(error: unknown): void {
    const about = { event: 'outbox.abandoned', error: messageOf(error) };
    this.logger.warn('The outbox was left before its relay had ended.', about);
  }
}

function draftAbout(event: string, { draft: { queue, name, id }, error }: Undelivered) {
  return { event, error: messageOf(error), queue, name, id };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
