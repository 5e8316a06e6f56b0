import type { BackendFactory, IQueueBackend } from 'bullmq';
import { postgresLeastUrgent } from '../limits/postgres-least-urgent.sql.js';
import type { QueuePool } from '../database/queue-pool.js';
import { within } from '../jobs/deadline.js';
import { assertDirectEnqueue } from '../outbox/direct-enqueue.js';
import { QueueStore, type StoreFinding } from './queue.store.js';
import { producerAsking, workerAsking } from './sql-ask.js';
import { SqlQueueBackend } from './sql-queue.backend.js';
import { SqlReadiness } from './sql-readiness.js';
import { SqlWakeups } from './sql-wakeups.js';

export interface SqlStoreParts {
  readonly pool: QueuePool;
}

/** Jobs in a Postgres, wherever it runs. All queues and workers share one pool, and one connection that is told of jobs. */
export abstract class SqlQueueStore extends QueueStore {
  protected readonly pool: QueuePool;
  /** How long a boot waits for the database. */
  protected abstract readonly openWithinMs: number;
  readonly #wakeups: SqlWakeups;
  readonly #readiness: SqlReadiness;
  readonly #listeners = new Set<() => void>();
  readonly #once = new Set<() => void>();
  readonly #unfollow: () => void;
  #wasThere = false;

  constructor({ pool }: SqlStoreParts) {
    super();
    this.pool = pool;
    this.#wakeups = new SqlWakeups(pool);
    this.#readiness = new SqlReadiness(pool, async () => {
      await assertDirectEnqueue(pool);
      await this.prepare();
      await this.#wakeups.start();
    });
    this.#readiness.onReady(() => this.#look());
    this.#unfollow = pool.onTrouble(() => this.#look());
  }

  get trouble(): string | undefined {
    return this.#readiness.trouble;
  }

  async open(): Promise<void> {
    await within(this.openWithinMs, this.#readiness.open()).catch((error: Error) => {
      if (error.name !== 'DeadlineError') throw error; // when it is only late, it is waited for in the background
    });
  }

  backendFor(...[queue, opts, flags]: Parameters<BackendFactory>): IQueueBackend {
    const parts = {
      pool: this.pool,
      queue,
      trouble: () => this.trouble,
      onceReady: (run: () => void) => {
        this.#once.add(run);
        return () => void this.#once.delete(run);
      },
    };
    const waits = flags?.blocking === true || flags?.withBlockingConnection === true;
    const asking = waits ? workerAsking(parts) : producerAsking(parts);
    return new SqlQueueBackend({ queue, opts, asking, wakeups: this.#wakeups });
  }

  onReady(listener: () => void): void {
    this.#listeners.add(listener);
    if (this.#wasThere) listener();
  }

  leastUrgent(queue: string): Promise<string | undefined> {
    return postgresLeastUrgent(this.pool, queue);
  }

  abstract override audit(): Promise<readonly StoreFinding[]>;

  async close(): Promise<void> {
    this.#unfollow();
    this.#readiness.close();
    for (const each of this.#once) each();
    await this.#wakeups.close();
  }

  /** What has to be right before a queue is used. */
  protected abstract prepare(): Promise<void>;

  #look(): void {
    const isThere = this.trouble === undefined;
    const came = isThere && !this.#wasThere;
    this.#wasThere = isThere;
    if (came) for (const listener of [...this.#listeners, ...this.#once]) listener();
  }
}
