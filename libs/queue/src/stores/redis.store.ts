import type { RedisConnection } from '@roost/redis';
import { QueueKeys, type BackendFactory, type IQueueBackend } from 'bullmq';
import { redisLeastUrgent } from '../limits/redis-least-urgent.lua.js';
import { QueueSetupError } from '../queue.errors.js';
import { QueueStore, type StoreFinding } from './queue.store.js';
import { auditRedis } from './redis-audit.js';
import { QueueRedisBackend } from './redis-queue.backend.js';
import type { LentClient } from './redis-lent.client.js';

const OPEN_WITHIN_MS = 2_000;
/** The connection has looked already, and did not find it. */
const LOST_OPEN_WITHIN_MS = 200;
const CLOSE_WITHIN_MS = 300;

export interface RedisStoreParts {
  readonly connection: RedisConnection;
  /** What the keys of queues begin with that say nothing of it. @default `{roost:jobs}`, by the prefix of the connection */
  readonly prefix?: string;
}

/**
 * Jobs in Redis. All that add jobs share one client, which fails fast; all workers share another, which waits for Redis;
 * each Worker and each QueueEvents has one more, on which it waits for jobs or events.
 */
export class RedisQueueStore extends QueueStore {
  readonly name = 'redis';
  readonly #connection: RedisConnection;
  readonly #prefix: string;
  readonly #producer: LentClient;
  readonly #worker: LentClient;
  readonly #listeners = new Set<() => void>();
  readonly #unfollow: () => void;
  #lastError: Error | undefined;
  #wasThere = false;
  #closed = false;

  /** @throws RedisNotConfiguredError when the connection has no Redis. */
  constructor({ connection, prefix }: RedisStoreParts) {
    super();
    this.#connection = connection;
    this.#prefix = prefix ?? `{${connection.keyPrefix}:jobs}`;
    this.#producer = connection.jobClient('producer');
    this.#worker = connection.jobClient('worker');
    const { client } = this.#producer;
    client.on('error', (error) => (this.#lastError = error));
    client.on('ready', () => this.#look());
    client.on('close', () => this.#look());
    this.#unfollow = connection.backend.onChange(({ to }) => {
      if (to === 'redis') this.#hurry();
      this.#look();
    });
  }

  get trouble(): string | undefined {
    if (this.#closed) return 'closed';
    if (this.#connection.backend.reason === 'forced') return undefined; // the operator's word is about other features
    if (this.#connection.backend.current !== 'redis') return this.#connection.backend.reason ?? 'unreachable';
    return this.#producer.ready ? undefined : 'connecting';
  }

  async open(): Promise<void> {
    this.#hurry();
    const isThere = this.#connection.backend.current === 'redis';
    await this.#producer.whenReady(isThere ? OPEN_WITHIN_MS : LOST_OPEN_WITHIN_MS);
    if (this.#producer.ready || this.#lastError === undefined) return;
    const { message } = this.#lastError;
    if (/^(?:WRONGPASS|NOAUTH|NOPERM)\b/.test(message)) throw new QueueSetupError(message, { cause: this.#lastError });
  }

  backendFor(...[queue, options, flags]: Parameters<BackendFactory>): IQueueBackend {
    const { prefix = this.#prefix } = options as { prefix?: string };
    const opts = { ...options, prefix };
    const isClosed = () => this.#closed;
    const blocking = () => this.#connection.jobClient('blocking');
    if (flags?.blocking) {
      const client = blocking();
      return new QueueRedisBackend('events', { queue, opts, main: client, blocking: client, isClosed });
    }
    if (!flags?.withBlockingConnection) {
      return new QueueRedisBackend('producer', { queue, opts, main: this.#producer, isClosed });
    }
    return new QueueRedisBackend('worker', { queue, opts, main: this.#worker, blocking: blocking(), isClosed });
  }

  onReady(listener: () => void): void {
    this.#listeners.add(listener);
    if (this.#wasThere) listener();
  }

  async leastUrgent(queue: string): Promise<string | undefined> {
    const keys = new QueueKeys(this.#prefix);
    return redisLeastUrgent(this.#producer.client, {
      wait: keys.toKey(queue, 'wait'),
      prioritized: keys.toKey(queue, 'prioritized'),
    });
  }

  audit(): Promise<readonly StoreFinding[]> {
    return auditRedis(this.#connection.backend.commands);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unfollow();
    await Promise.all([this.#producer.end(CLOSE_WITHIN_MS), this.#worker.end(CLOSE_WITHIN_MS)]);
  }

  #hurry(): void {
    if (this.#closed) return;
    this.#producer.hurry();
    this.#worker.hurry();
  }

  /** Tells of the moment at which the store can be reached again. */
  #look(): void {
    const isThere = this.trouble === undefined && this.#producer.ready;
    const came = isThere && !this.#wasThere;
    this.#wasThere = isThere;
    if (came) for (const listener of this.#listeners) listener();
  }
}
