import { Injectable } from '@nestjs/common';
import { Metrics } from '@roost/redis';

/** What the gauges show at each scrape. */
interface ShownGauges {
  readonly devices: number;
  readonly watched: number;
  readonly partial: boolean;
}

/** Why a socket was closed by this side. */
export type CloseReason = 'expired' | 'ended' | 'dead' | 'stuck' | 'flood' | 'refused';

/** What presence tells of itself; never of whom, nor of which room. */
@Injectable()
export class PresenceMetrics {
  readonly #changes;
  readonly #resyncs;
  readonly #swept;
  readonly #events;
  readonly #summaries;
  readonly #closed;
  #shown: ShownGauges = { devices: 0, watched: 0, partial: false };

  constructor(metrics: Metrics) {
    this.#changes = metrics.counter('roost_presence_changes_total', 'Changes of rooms that watchers were told of', [
      'what',
    ]);
    this.#resyncs = metrics.counter('roost_presence_resyncs_total', 'Rooms read again after something was missed', [
      'how',
    ]);
    this.#swept = metrics.counter('roost_presence_swept_total', 'Processes that this one has cleaned up after');
    this.#events = metrics.counter('roost_presence_events_total', 'Events of sockets by their outcome', [
      'event',
      'outcome',
    ]);
    this.#summaries = metrics.counter('roost_presence_summaries_total', 'Times in which a slow socket got a summary');
    this.#closed = metrics.counter('roost_presence_closed_total', 'Sockets that this side has closed', ['reason']);
    this.#gauge(
      metrics,
      'roost_presence_devices',
      'Devices that this process holds in rooms and online',
      (s) => s.devices,
    );
    this.#gauge(metrics, 'roost_presence_watched_rooms', 'Rooms that this process watches', (s) => s.watched);
    this.#gauge(metrics, 'roost_presence_partial', '1 while this process knows only its own members', (s) =>
      Number(s.partial),
    );
  }

  /** Where the gauges are read from at each scrape. */
  show(shown: ShownGauges): void {
    this.#shown = shown;
  }

  told(joins: number, leaves: number, updates: number): void {
    if (joins > 0) this.#changes.inc({ what: 'join' }, joins);
    if (leaves > 0) this.#changes.inc({ what: 'leave' }, leaves);
    if (updates > 0) this.#changes.inc({ what: 'update' }, updates);
  }

  resynced(how: 'replay' | 'state'): void {
    this.#resyncs.inc({ how });
  }

  swept(): void {
    this.#swept.inc({});
  }

  event(event: string, outcome: 'ok' | 'refused' | 'failed'): void {
    this.#events.inc({ event, outcome });
  }

  summarized(): void {
    this.#summaries.inc({});
  }

  closed(reason: CloseReason): void {
    this.#closed.inc({ reason });
  }

  #gauge(metrics: Metrics, name: string, help: string, read: (shown: ShownGauges) => number): void {
    const gauge: { set(value: number): void } = metrics.gauge(name, help, [], () => gauge.set(read(this.#shown)));
  }
}
