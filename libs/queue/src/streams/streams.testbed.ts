import { connect, type Connected } from '@roost/redis/testing';
import type { RedisServer } from '@roost/testing';
import type { StreamConsumerOptions } from './stream-consumer.options.js';
import { StreamConsumers } from './stream-consumers.js';
import type { StreamMessage } from './stream-message.js';

/** A process with consumers, as far as Redis can tell. */
export interface Peer {
  readonly redis: Connected;
  readonly consumers: StreamConsumers;
  /** What its handlers were given, in order. */
  readonly seen: StreamMessage[];
  stop(deadlineMs?: number): Promise<void>;
}

/** Processes that share one Redis. */
export class StreamsTestbed {
  readonly #peers: Peer[] = [];

  constructor(readonly server: RedisServer) {}

  /** One that reads `s`; its handler sees the messages, too. */
  async peer(
    options: Partial<StreamConsumerOptions> = {},
    handle: (message: StreamMessage) => unknown = () => undefined,
    url = this.server.url,
  ): Promise<Peer> {
    const redis = await connect({ url, backend: 'auto', commandTimeoutMs: 1_000 });
    const logger = {
      log: (message: string, details: Record<string, unknown>) => redis.logged.push({ level: 'log', message, details }),
      warn: (message: string, details: Record<string, unknown>) =>
        redis.logged.push({ level: 'warn', message, details }),
      error: (message: string, details: Record<string, unknown>) =>
        redis.logged.push({ level: 'error', message, details }),
    };
    const connections = { get: () => redis.connection };
    const consumers = new StreamConsumers({ connections, metrics: redis.metrics, logger });
    const seen: StreamMessage[] = [];
    consumers.add({
      at: 'Test.handle',
      stream: 's',
      options: { group: 'g', minIdle: '200ms', backoff: '20ms', ...options },
      handle: async (message: StreamMessage) => {
        seen.push(message);
        await handle(message);
      },
    });
    let stopping: Promise<void> | undefined;
    const stop = (deadlineMs = 500) => (stopping ??= consumers.stop(deadlineMs).then(() => redis.close()));
    const peer = { redis, consumers, seen, stop };
    this.#peers.push(peer);
    consumers.start();
    return peer;
  }

  async close(): Promise<void> {
    await Promise.all(this.#peers.splice(0).map((peer) => peer.stop(50)));
  }

  /** What a producer in another language does. */
  async add(...texts: string[]): Promise<string[]> {
    const ids: string[] = [];
    for (const text of texts) ids.push(String(await this.server.command('XADD', 's', '*', 'text', text)));
    return ids;
  }

  /** What the group has given to consumers and not heard of again: id, consumer, idle time, deliveries. */
  async pending(): Promise<[string, string, number, number][]> {
    return (await this.server.command('XPENDING', 's', 'g', '-', '+', 1_000)) as [string, string, number, number][];
  }

  /** Messages of a stream as records, with their ids. */
  async messages(stream: string): Promise<Record<string, string>[]> {
    const entries = (await this.server.command('XRANGE', stream, '-', '+')) as [string, string[]][];
    return entries.map(([id, flat]) => {
      const pairs = Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]] as const);
      return { ...Object.fromEntries(pairs), id };
    });
  }

  /** Reads as a process that will never be heard of again. */
  async readAndDie(count: number, consumer = 'dead'): Promise<void> {
    await this.server.command('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM').catch(() => 'is there already');
    await this.server.command('XREADGROUP', 'GROUP', 'g', consumer, 'COUNT', count, 'STREAMS', 's', '>');
  }
}

/** The texts of what was seen. */
export function textsOf({ seen }: Pick<Peer, 'seen'>): string[] {
  return seen.map(({ fields }) => fields.text!);
}

/** The value of a counter or gauge with these labels, as it would be scraped. */
export async function metricOf(
  { redis }: Peer,
  name: string,
  labels: Record<string, string>,
): Promise<number | undefined> {
  const metric = await redis.metrics.registry.getSingleMetric(name)!.get();
  const wanted = { stream: 's', group: 'g', ...labels };
  return metric.values.find(({ labels: own }) => Object.entries(wanted).every(([label, value]) => own[label] === value))
    ?.value;
}
