import type { Redis } from 'ioredis';
import type { ClientFactory } from './client-factory.js';
import type { ConnectionMetrics } from './connection-metrics.js';
import { classifyError } from './error-class.js';
import { endClient, endure, failFast, LentClient } from './lent-client.js';
import { rawClient } from './raw-client.js';
import { RedisNotConfiguredError } from './redis.errors.js';

/**
 * What a client of a job queue is for. `producer` fails fast: what is asked of it is answered in a second, one way or the
 * other. `worker` waits for Redis as long as it takes; what was sent and not answered rejects. `blocking` is for commands
 * that wait on the server, and gives none of them up: who uses it watches over them.
 */
export type JobClientRole = 'producer' | 'worker' | 'blocking';

/** The clients of one connection that were lent to libraries; ended with it at the latest. */
export class LentClients {
  readonly #blocking = new Set<Redis>();
  readonly #lent = new Set<LentClient>();

  constructor(
    private readonly connection: string,
    private readonly clients: ClientFactory | undefined,
    private readonly metrics: ConnectionMetrics,
  ) {}

  blocking(): Redis {
    if (this.clients === undefined) return rawClient(this.connection, undefined);
    const client = this.clients.create('blocking');
    this.#listen(client);
    this.#blocking.add(client);
    return client;
  }

  job(role: JobClientRole): LentClient {
    if (this.clients === undefined) throw new RedisNotConfiguredError(this.connection);
    const client = this.clients.create(role, role === 'blocking' ? { blockingTimeout: 0 } : {});
    this.#listen(client);
    if (role === 'producer') failFast(client);
    if (role === 'worker') endure(client);
    const lent = new LentClient(client, (ended) => this.#lent.delete(ended));
    this.#lent.add(lent);
    return lent;
  }

  async close(): Promise<void> {
    for (const client of this.#blocking) endClient(client);
    await Promise.all([...this.#lent].map((lent) => lent.end()));
  }

  /** Without a listener an error would be printed. */
  #listen(client: Redis): void {
    client.on('error', (error) => this.metrics.error(classifyError(error)));
  }
}
