import { QueueKeys, RedisQueueBackend, type QueueBaseOptions, type StreamReadRaw } from 'bullmq';
import { isOutage } from '../jobs/deadline.js';
import { QueueClosedError } from '../queue.errors.js';
import { NO_EVENTS, noEventsForNow } from './no-events.js';
import type { LentClient } from './redis-lent.client.js';
import { Patience } from './redis-patience.js';
import { QueueRedisConnection } from './redis-queue.connection.js';

export interface RedisBackendParts {
  readonly queue: string;
  readonly opts: QueueBaseOptions & { readonly prefix: string };
  /** What runs the commands. */
  readonly main: LentClient;
  /** What waits for jobs or events, and is this backend's alone. */
  readonly blocking?: LentClient;
  /** Whether the store has closed. */
  readonly isClosed: () => boolean;
}

type Of = 'producer' | 'worker' | 'events';

/** BullMQ's backend on Redis, over clients that Roost opened. Nothing of it is dead for ever because Redis was once lost. */
export class QueueRedisBackend extends RedisQueueBackend {
  readonly #of: Of;
  readonly #isClosed: () => boolean;
  readonly #blocking: LentClient | undefined;
  readonly #patience: Patience | undefined;
  #disconnected = false;
  /** Where events are read from while none was seen: `$` would skip what comes between two reads. */
  #newest: Promise<string> | undefined;

  constructor(of: Of, { queue, opts, main, blocking, isClosed }: RedisBackendParts) {
    const keys = new QueueKeys(opts.prefix);
    const state: { backend?: QueueRedisBackend } = {};
    const refusal = () => (isClosed() || state.backend?.closing ? refusalOf(of, queue) : undefined);
    const patience = of === 'worker' ? new Patience(main) : undefined;
    super(
      new QueueRedisConnection({
        lent: main,
        owned: of === 'events',
        refusal: of === 'worker' ? () => undefined : refusal, // a worker that closes still ends its jobs
        ...(patience && { patience }),
      }),
      queue,
      keys.getKeys(queue),
      (type) => keys.toKey(queue, type),
      opts,
      of === 'worker' && blocking ? new QueueRedisConnection({ lent: blocking, owned: true, refusal }) : undefined,
    );
    state.backend = this;
    this.#of = of;
    this.#isClosed = isClosed;
    this.#blocking = blocking;
    this.#patience = patience;
    const { name } = opts as { name?: string };
    if (of === 'worker') this.#rename(this.clientName(name ? `:w:${name}` : ''));
    blocking?.open();
  }

  /** Events are told from here on. */
  override async waitUntilReady(): Promise<void> {
    await super.waitUntilReady();
    if (this.#of === 'events') await this.#start();
  }

  /** By which BullMQ finds its workers. Given at each connect; that it cannot be given now stops nobody. */
  override setName(name: string): Promise<void> {
    this.#rename(name);
    return Promise.resolve();
  }

  override async disconnectBlocking(): Promise<void> {
    this.#patience?.stop();
    await this.blockingConnection?.disconnect();
  }

  override async reconnectBlocking(): Promise<void> {
    this.#patience?.resume();
    await this.blockingConnection?.reconnect();
  }

  /** A lost connection is waited for here: BullMQ would sleep for five seconds and miss what happens in them. */
  override async readEvents(id: string, blockTimeout: number): Promise<StreamReadRaw> {
    try {
      return await super.readEvents(id === '$' ? await this.#start() : id, blockTimeout);
    } catch (error) {
      if (this.#disconnected || (error as Error).message !== 'Connection is closed.') throw error;
      if (this.#isClosed()) return noEventsForNow();
      this.#blocking?.open();
      await this.#blocking?.whenReady(blockTimeout);
      return NO_EVENTS;
    }
  }

  /** Looked for again after the usual time: BullMQ would sleep for five seconds, which nothing ends. */
  override async moveStalledJobsToWait(): Promise<string[]> {
    try {
      return await super.moveStalledJobsToWait();
    } catch (error) {
      if (isOutage(error)) return [];
      throw error;
    }
  }

  override async disconnect(): Promise<void> {
    this.#disconnected = true;
    await super.disconnect();
  }

  override async close(force = false): Promise<void> {
    this.#disconnected = true;
    this.#patience?.stop();
    await super.close(force);
  }

  #start(): Promise<string> {
    this.#newest ??= this.#newestEvent().catch((error: unknown) => {
      this.#newest = undefined;
      throw error;
    });
    return this.#newest;
  }

  async #newestEvent(): Promise<string> {
    const client = (await this.client) as unknown as LentClient['client'];
    const [newest] = await client.xrevrange(this.keys['events']!, '+', '-', 'COUNT', 1);
    return newest?.[0] ?? '0-0';
  }

  #rename(name: string): void {
    if (this.#of === 'producer' || this.#blocking === undefined) return;
    const { client } = this.#blocking;
    client.options.connectionName = name;
    if (this.#blocking.ready) client.client('SETNAME', name).catch(() => undefined); // not every provider allows it
  }
}

/** BullMQ keeps quiet about a connection that is closed; who adds a job is to know why it was not added. */
function refusalOf(of: Of, queue: string): Error {
  return of === 'producer' ? new QueueClosedError(queue) : new Error('Connection is closed.');
}
