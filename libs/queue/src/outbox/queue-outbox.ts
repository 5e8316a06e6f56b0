import type { LoggerService } from '@nestjs/common';
import { outsideRequests, RoostError, type Metrics } from '@roost/redis';
import type { QueuePool } from '../database/queue-database.js';
import { outageOf } from '../database/outage.js';
import { within } from '../jobs/deadline.js';
import type { JobDraft } from '../jobs/job-draft.js';
import type { Waiting } from '../jobs/job-producer.js';
import type { PendingJobs } from '../jobs/job-queue.js';
import { QueueSetupError } from '../queue.errors.js';
import { mayBeLost, type Queues } from '../queues.js';
import type { QueueStores } from '../queue.stores.js';
import { OutboxMetrics } from './outbox.metrics.js';
import { OutboxRelay, type Delivery } from './outbox.relay.js';
import { outboxSchemaSql } from './outbox.sql.js';
import { OutboxTable } from './outbox.table.js';
import type { SqlRow, SqlSession } from './sql-session.js';

const RETRY_MS = 1_000;
const DELIVER_WITHIN_MS = 5_000;
const STOP_WITHIN_MS = 1_000;

const INSUFFICIENT_PRIVILEGE = '42501';
/** No such table, and no such schema. */
const MISSING = new Set(['42P01', '3F000']);

export interface QueueOutboxParts {
  readonly stores: QueueStores;
  readonly queues: Queues;
  readonly registry: Metrics;
  readonly logger: Pick<LoggerService, 'log' | 'warn' | 'error'>;
}

/** The outbox of an application: the table in its database, and the relay that empties it into the stores. */
export class QueueOutbox implements Waiting, PendingJobs {
  readonly #session: SqlSession = { query: (text, values) => this.#query(text, values) };
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
    this.#table = new OutboxTable(this.#session, names);
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
    await this.#table!.insert(this.#session, drafts);
  }

  /** The same in a transaction, which decides whether they ever were there. */
  async insertIn(session: SqlSession, drafts: readonly JobDraft[]): Promise<void> {
    if (!this.#ready) {
      // Not waited for: in a database with one connection it would wait for this very transaction.
      this.#begin().catch((error: unknown) => this.#fail(error));
      await session.query(outboxSchemaSql, []);
    }
    const made = this.#beginning;
    try {
      await this.#table!.insert(session, drafts);
    } catch (error) {
      // This transaction can do nothing any more, but the next one can.
      if (isMissing(error)) this.#remake(made).catch((failure: unknown) => this.#fail(failure));
      throw error;
    }
  }

  async has(queue: string, id: string): Promise<boolean> {
    return this.#ready && (await this.#table?.find(queue, id))?.state === 'waiting';
  }

  async remove(queue: string, id: string): Promise<boolean> {
    return this.#ready && (await this.#table!.remove(queue, id));
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

  /** Somebody may drop the table while this process runs: it is made again, once for each statement that misses it. */
  async #query(text: string, values?: readonly string[]): Promise<{ readonly rows: readonly SqlRow[] }> {
    const made = this.#beginning;
    const ask = () => this.#pool!.query<SqlRow>(text, values);
    return ask().catch(async (error: unknown) => {
      if (!isMissing(error)) throw error;
      await this.#remake(made);
      return ask();
    });
  }

  /** @param made the table that is missing: somebody else may have made another one by now. */
  #remake(made: Promise<void> | undefined): Promise<void> {
    if (this.#ready && this.#beginning === made) {
      this.#ready = false;
      this.#beginning = undefined;
      this.parts.logger.warn('The table of the outbox was dropped, and is made again: what waited in it is lost.', {
        event: 'outbox.remade',
      });
    }
    return this.#begin();
  }

  async #create(): Promise<void> {
    if (this.#closing) return;
    try {
      await this.#pool!.query(outboxSchemaSql);
      this.#ready = true;
      this.#relay!.start();
    } catch (error) {
      this.#beginning = undefined;
      if (outageOf(error) === undefined) throw error instanceof RoostError ? error : setupError(error as Error);
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

/** Whether there is no table. Some libraries wrap what the database said. */
function isMissing(error: unknown): boolean {
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  return MISSING.has(code ?? cause?.code ?? '');
}

function setupError(error: Error): QueueSetupError {
  const problem = `the table of the outbox cannot be used: ${error.message}.`;
  if ((error as { code?: unknown }).code !== INSUFFICIENT_PRIVILEGE)
    return new QueueSetupError(problem, { cause: error });
  return new QueueSetupError(
    `${problem} GRANT CREATE ON DATABASE to this user; or run \`outboxSchemaSql\` of @roost/queue as another one, and ` +
      'GRANT USAGE ON SCHEMA roost_queue and SELECT, INSERT, UPDATE, DELETE ON roost_queue.outbox to this one.',
    { cause: error },
  );
}

/** Whether the store will say the same each time. What is not known for certain is tried again: it must not be lost. */
function isRefusal({ name, message }: Error): boolean {
  return name === 'TypeError' || /^WRONGTYPE\b/.test(message);
}
