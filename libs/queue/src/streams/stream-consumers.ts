import { Logger, type LoggerService } from '@nestjs/common';
import { show, type HealthReport, type Metrics, type RedisConnections } from '@roost/redis';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { ConflictingHandlersError } from '../queue.errors.js';
import {
  resolveStreamConsumer,
  type ResolvedStreamConsumer,
  type StreamConsumerOptions,
} from './stream-consumer.options.js';
import { StreamDuty, type StreamReport } from './stream-duty.js';
import type { StreamMessage } from './stream-message.js';
import { StreamMetrics, StreamNotes } from './stream-notes.js';

/** Somebody who reads a stream. */
export interface StreamConsumerEntry {
  /** `Class.method`, for messages. */
  readonly at: string;
  readonly stream: string;
  readonly options: StreamConsumerOptions;
  /** Resolves when the message was handled; what it resolves to does not matter. */
  readonly handle: (message: StreamMessage<never>) => Promise<unknown>;
}

/** What consumers of streams are made of. */
export interface StreamConsumersParts {
  readonly connections: Pick<RedisConnections, 'get'>;
  readonly metrics: Metrics;
  /** The connection of those that name none. @default 'default' */
  readonly connection?: string;
  readonly logger?: LoggerService;
}

/** What health shows: `degraded` while a stream cannot be read. */
export interface StreamsReport extends HealthReport {
  /** Absent where no Redis is configured. */
  readonly consumer?: string;
  readonly streams: readonly StreamReport[];
}

/** All consumers of streams in this process. */
export class StreamConsumers {
  /** By which Redis knows this process from others, and from what ran here before. */
  readonly consumer = `${hostname()}:${process.pid}:${randomUUID()}`;
  readonly #entries = new Map<
    string,
    { at: string; resolved: ResolvedStreamConsumer; handle: StreamConsumerEntry['handle'] }
  >();
  readonly #logger: LoggerService;
  readonly #metrics: StreamMetrics;
  #duties: StreamDuty[] = [];

  constructor(private readonly parts: StreamConsumersParts) {
    this.#logger = parts.logger ?? new Logger('Streams');
    this.#metrics = new StreamMetrics(parts.metrics);
  }

  /**
   * Adds one before the start.
   * @throws InvalidOptionsError, or ConflictingHandlersError when this process reads the stream for the group already.
   */
  add({ at, stream, options, handle }: StreamConsumerEntry): void {
    const resolved = resolveStreamConsumer(stream, options);
    const { connection = this.parts.connection ?? 'default', group } = resolved;
    const id = JSON.stringify([connection, stream, group]);
    const other = this.#entries.get(id);
    if (other) throw new ConflictingHandlersError(stream, [other.at, at]);
    this.#entries.set(id, { at, resolved, handle });
  }

  /** Begins to read. Where no Redis is configured nothing is read, which is said once. */
  start(): void {
    const idle = new Set<string>();
    for (const { resolved, handle } of this.#entries.values()) {
      const connection = this.parts.connections.get(resolved.connection ?? this.parts.connection);
      if (!connection.backend.configured) {
        idle.add(resolved.stream);
        continue;
      }
      const notes = new StreamNotes(resolved, this.#metrics, this.#logger);
      this.#duties.push(
        new StreamDuty(connection, resolved, this.consumer, (message) => handle(message as never), notes),
      );
    }
    if (idle.size > 0) {
      const names = [...idle].map((each) => show(each)).join(', ');
      this.#logger.warn(`Streams are in Redis, and none is configured: ${names} not read.`, { event: 'stream.idle' });
    }
    for (const duty of this.#duties) duty.start();
  }

  /**
   * Reads nothing more and waits so long for the handlers that run. What nobody has begun is for others at once; what is
   * half done is for nobody else before `minIdle`. Resolves a little after the deadline at the latest.
   */
  async stop(deadlineMs: number): Promise<void> {
    const duties = this.#duties;
    this.#duties = [];
    await Promise.all(duties.map((duty) => duty.stop(deadlineMs)));
  }

  /** What is known; asks nobody. */
  report(): StreamsReport {
    const streams = this.#duties.map((duty) => duty.report());
    const status = streams.every(({ reading }) => reading) ? 'up' : 'degraded';
    return { status, streams, ...(streams.length > 0 && { consumer: this.consumer }) };
  }
}
