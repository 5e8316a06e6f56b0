import type { LoggerService } from '@nestjs/common';
import { outsideRequests, type Metrics } from '@roost/redis';
import type { QueuePool } from '../database/queue-database.js';
import { outageOf } from '../database/outage.js';
import { within } from '../jobs/deadline.js';
import type { JobDraft } from '../jobs/job-draft.js';
import type { Waiting } from '../jobs/job-producer.js';
import type { PendingJobs } from '../jobs/job-queue.js';
import { mayBeLost, type Queues } from '../queues.js';
import type { QueueStores } from '../queue.stores.js';
import { OutboxMetrics } from './outbox.metrics.js';
import { OutboxRelay, type Delivery } from './outbox.relay.js';
import { outboxSchemaSql } from './outbox.sql.js';
import { OutboxTable } from './outbox.table.js';
import type { SqlSession } from './sql-session.js';

const RETRY_MS = 1_000;
const DELIVER_WITHIN_MS = 5_000;
const STOP_WITHIN_MS = 1_000;

export interface QueueOutboxParts {
  readonly stores: QueueStores;
  readonly queues: Queues;
  readonly registry: Metrics;
  readonly logger: Pick<LoggerService, 'log' | 'warn' | 'error'>;
}

/** The outbox of an application: the table in its database, and the relay that empties it into the stores. */
export class QueueOutbox implements Waiting, PendingJobs {
  #pool: QueuePool | undefined;
  #table: OutboxTable | undefined;
  #relay: OutboxRelay | undefined;
  #timer: NodeJS.Timeout | undefined;
  #beginning: Promise<void> | undefined;
  #ready = false;
  #closing = false;

  constructor(private readonly parts: QueueOutboxParts) {}

  /** Whether there is one: a database, and stores that are not in it themselves. */
  get exists(): boolean {
    return this.#table !== undefined;
  }

  /** A database that cannot be reached is waited for in the background. */
  async open(): Promise<void> {
    const { stores, queues, registry, logger } = this.parts;
    const lossy = stores.opened.filter(mayBeLost);
    const pool = lossy.length === 0 ? undefined : await stores.pool();
    if (pool === undefined) return;
    this.#pool = pool;
    // Those of this application alone: others that share the database may keep their jobs elsewhere.
    const names = () => queues.all().flatMap(({ queue, store }) => (mayBeLost(store) ? [queue.name] : []));
    this.#table = new OutboxTable(pool, names);
    const relay = new OutboxRelay({
      table: this.#table,
      listen: (channel, heard) => pool.listen(channel, heard),
      deliver: (drafts) => Promise.all(drafts.map((draft) => this.#deliver(draft))),
      isServing: () => lossy.some(({ trouble }) => trouble === undefined),
      metrics: new OutboxMetrics(registry),
      logger,
    });
    this.#relay = relay;
    for (const store of lossy) store.onReady(() => relay.nudge());
    // One that was forgotten at the last end has nothing to relay before somebody uses it.
    if (!stores.forgetful) await this.#begin();
  }

  /** Lets jobs wait that the store cannot take. */
  async insert(drafts: readonly JobDraft[]): Promise<void> {
    await this.#begin();
    await this.#table!.insert(this.#pool!, drafts);
  }

  /** The same in a transaction, which decides whether they ever were there. */
  async insertIn(session: SqlSession, drafts: readonly JobDraft[]): Promise<void> {
    if (!this.#ready) {
      // Not waited for: in a database with one connection it would wait for this very transaction.
      this.#begin().catch((error: unknown) => this.#fail(error));
      await session.query(outboxSchemaSql, []);
    }
    await this.#table!.insert(session, drafts);
  }

  async has(queue: string, id: string): Promise<boolean> {
    return this.#ready && (await this.#table?.find(queue, id))?.state === 'waiting';
  }

  report(): unknown {
    return this.#relay?.report();
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    await this.#relay?.stop(STOP_WITHIN_MS);
  }

  /** Creates the table and starts the relay, once; who comes meanwhile waits for it, too. */
  #begin(): Promise<void> {
    return (this.#beginning ??= this.#create());
  }

  async #create(): Promise<void> {
    if (this.#closing) return;
    try {
      await this.#pool!.query(outboxSchemaSql);
      this.#ready = true;
      this.#relay!.start();
    } catch (error) {
      this.#beginning = undefined;
      if (outageOf(error) === undefined) throw error;
      this.parts.logger.warn(`The outbox waits for its database: ${(error as Error).message}`, {
        event: 'outbox.waits',
      });
      const again = () => void this.#begin().catch((failure: unknown) => this.#fail(failure));
      clearTimeout(this.#timer);
      this.#timer = outsideRequests(() => setTimeout(again, RETRY_MS).unref());
    }
  }

  #fail(error: unknown): void {
    this.parts.logger.error(`The outbox: ${(error as Error).message}`, { event: 'outbox.failed' });
  }

  /** The store has the job when this resolves without an error; a job that it had already is not added again. */
  async #deliver({ id, queue, name, data, options }: JobDraft): Promise<Delivery> {
    try {
      const target = this.parts.queues.get(queue)!.queue; // only those are claimed
      await within(DELIVER_WITHIN_MS, target.add(name, data, options));
      return { queue, id };
    } catch (error) {
      return { queue, id, error: error as Error, permanent: isRefusal(error as Error) };
    }
  }
}

/** Whether the store will say the same each time. What is not known for certain is tried again: it must not be lost. */
function isRefusal({ name, message }: Error): boolean {
  return name === 'TypeError' || /^WRONGTYPE\b/.test(message);
}
