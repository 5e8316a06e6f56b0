import type { LoggerService } from '@nestjs/common';
import { LATENCY_BUCKETS, type Counter, type Histogram, type Metrics } from '@roost/redis';
import type { ResolvedStreamConsumer } from './stream-consumer.options.js';
import type { GroupState } from './stream-group.js';

/**
 * What became of a message: `failed` is delivered again, `refused` by the schema and `dead` are dead letters, `taken` is
 * another process', `vanished` was deleted before anybody handled it.
 */
export type StreamOutcome = 'done' | 'failed' | 'refused' | 'dead' | 'taken' | 'vanished';

/** What is measured of streams, made once for all of them. */
export class StreamMetrics {
  readonly messages: Counter<'stream' | 'group' | 'outcome'>;
  readonly seconds: Histogram<'stream' | 'group'>;
  readonly lag;
  readonly pending;

  constructor(metrics: Metrics) {
    const labels = ['stream', 'group'] as const;
    this.messages = metrics.counter('roost_stream_messages_total', 'Messages of streams by what became of them here', [
      ...labels,
      'outcome',
    ]);
    this.seconds = metrics.histogram('roost_stream_handle_seconds', 'Time a handler took', labels, LATENCY_BUCKETS);
    this.lag = metrics.gauge('roost_stream_lag', 'Messages that no consumer of the group was given yet', labels);
    this.pending = metrics.gauge('roost_stream_pending', 'Messages given to consumers and not acknowledged', labels);
  }
}

/** Log lines about one kind of thing are no closer together than this. */
const SPARING_MS = 10_000;

/** Keeps, counts and says what happens to one group in this process. */
export class StreamNotes {
  state: GroupState | undefined;
  lastError: { readonly message: string; readonly at: string } | undefined;
  #reading = false;
  #troubled = false;
  #warnedOfGroups = false;
  readonly #said = new Map<string, { at: number; suppressed: number }>();
  readonly #labels: { readonly stream: string; readonly group: string };
  readonly #seconds;

  constructor(
    { stream, group }: Pick<ResolvedStreamConsumer, 'stream' | 'group'>,
    private readonly metrics: StreamMetrics,
    private readonly logger: LoggerService,
  ) {
    this.#labels = { stream, group };
    this.#seconds = metrics.seconds.labels(this.#labels);
  }

  /** Whether the last look at the stream succeeded. */
  get reading(): boolean {
    return this.#reading;
  }

  count(outcome: StreamOutcome, by = 1): void {
    if (by > 0) this.metrics.messages.inc({ ...this.#labels, outcome }, by);
  }

  handled(ms: number): void {
    this.#seconds.observe(ms / 1_000);
  }

  seen(state: GroupState | undefined, removes: boolean): void {
    this.state = state;
    if (state === undefined) return;
    this.metrics.pending.set(this.#labels, state.pending);
    if (state.lag !== undefined) this.metrics.lag.set(this.#labels, state.lag);
    const shared = removes && state.groups > 1;
    if (shared && !this.#warnedOfGroups) {
      const { stream } = this.#labels;
      const advice = 'Set `remove: false` and trim it, or remove the group that nobody reads.';
      this.logger.warn(`Stream ${stream} has ${state.groups} groups, so that nothing is deleted. ${advice}`, {
        event: 'stream.shared',
        ...this.#labels,
      });
    }
    this.#warnedOfGroups = shared;
  }

  /** It could not be read. Said once, until it can be read again. */
  trouble(error: unknown): void {
    this.fault(error);
    this.#reading = false;
    if (this.#troubled) return;
    this.#troubled = true;
    const details = { event: 'stream.lost', ...this.#labels, error: this.lastError!.message };
    this.logger.warn(`Stream ${this.#labels.stream} cannot be read; it is tried again until it can.`, details);
  }

  serving(): void {
    this.#reading = true;
    if (!this.#troubled) return;
    this.#troubled = false;
    this.logger.log(`Stream ${this.#labels.stream} is read again.`, { event: 'stream.back', ...this.#labels });
  }

  /** Redis came back empty, or somebody removed the group: it is made anew. */
  groupGone(): void {
    const { stream, group } = this.#labels;
    const message = `Group ${group} of stream ${stream} is gone: it is made anew, and begins with all there is.`;
    this.logger.warn(message, { event: 'stream.group-gone', ...this.#labels });
  }

  /** Something about it went wrong that is tried again. */
  fault(error: unknown): void {
    this.lastError = { message: messageOf(error), at: new Date().toISOString() };
  }

  failed(id: string, deliveries: number, error: unknown): void {
    this.count('failed');
    this.fault(error);
    this.#sparingly('stream.failed', 'A message of a stream could not be handled; it is tried again.', {
      id,
      deliveries,
      error: messageOf(error),
    });
  }

  buried(outcome: 'dead' | 'refused', id: string, deliveries: number, reason: string): void {
    this.count(outcome);
    this.#sparingly('stream.dead', 'A message of a stream was given up: it is a dead letter.', {
      id,
      deliveries,
      reason,
    });
  }

  #sparingly(event: string, message: string, details: object): void {
    const now = performance.now();
    const said = this.#said.get(event);
    if (said !== undefined && now - said.at < SPARING_MS) return void said.suppressed++;
    this.#said.set(event, { at: now, suppressed: 0 });
    this.logger.warn(message, { event, ...this.#labels, ...details, suppressed: said?.suppressed ?? 0 });
  }
}

/** Whatever was thrown, as text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
