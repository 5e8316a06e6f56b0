import { RedisConnection, type RedisClient } from 'bullmq';
import type { LentClient } from './redis-lent.client.js';
import type { Patience } from './redis-patience.js';

export interface QueueConnectionParts {
  readonly lent: LentClient;
  /** Whether the client is this connection's alone, and ends with it. */
  readonly owned: boolean;
  /** What a command ends with that is not to be sent any more. */
  readonly refusal: () => Error | undefined;
  /** Waits for a client that is lost; without it the client decides by itself. */
  readonly patience?: Patience;
}

/**
 * What BullMQ holds of a client that Roost opened. BullMQ's own waits for Redis when it is made, and is dead for ever when
 * that fails; this one takes the client as it is. Outages are announced by the connection, once, not by each queue.
 */
export class QueueRedisConnection extends RedisConnection {
  readonly #parts: QueueConnectionParts;

  constructor(parts: QueueConnectionParts) {
    const { lent, owned } = parts;
    super(lent.client, { shared: !owned, blocking: false, skipVersionCheck: true, skipWaitingForReady: true });
    this.#parts = parts;
    // Without a look at the version BullMQ thinks of Redis 5, which blocks for whole seconds only; 6.2 is the least here.
    void super.client.then(() => (this.capabilities = { canDoubleTimeout: true, canBlockFor1Ms: false }));
  }

  override get client(): Promise<RedisClient> {
    const { lent, refusal, patience } = this.#parts;
    const refused = refusal();
    if (refused !== undefined) return Promise.reject(refused);
    return patience === undefined || lent.ready ? super.client : patience.wait().then(() => super.client);
  }

  override get redisVersion(): string {
    return '6.2.0';
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    return event === 'error' ? false : super.emit(event, ...args);
  }

  override disconnect(): Promise<void> {
    return this.#parts.owned ? this.#parts.lent.cut() : Promise.resolve();
  }

  /** Begins to connect; whoever needs the client waits for it. */
  override reconnect(): Promise<void> {
    if (this.#parts.owned && !this.closing) this.#parts.lent.open();
    return Promise.resolve();
  }

  override async close(force = false): Promise<void> {
    // BullMQ would say goodbye, and wait for ever for the answer of a Redis that is not there.
    if (this.#parts.owned) await this.#parts.lent.end();
    await super.close(force);
  }
}
