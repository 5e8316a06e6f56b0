import { PostgresConnection, type PgPool, type PgQueryResult } from 'bullmq';

/** How BullMQ asks the database: told again each time whether it can. */
export type Ask = <R = unknown>(text: string, params?: readonly unknown[]) => Promise<PgQueryResult<R>>;

/**
 * What BullMQ holds of a database that Roost opened. BullMQ's own remembers for ever that the database was not there, and
 * never answers what it is asked after its end; this one asks anew each time, and says no.
 */
export class SqlQueueConnection extends PostgresConnection {
  readonly #ready: () => Promise<void>;

  constructor({ ask, ready }: { readonly ask: Ask; readonly ready: () => Promise<void> }) {
    super(poolOf(ask));
    this.#ready = ready;
  }

  override get isClosing(): undefined {
    return undefined;
  }

  override waitUntilReady(): Promise<void> {
    return this.#ready();
  }
}

/** As much of a pool as is still used: who waits for jobs and events does so on the store's one connection. */
function poolOf(ask: Ask): PgPool {
  const pool: PgPool = {
    query: ask,
    connect: () => Promise.reject(new Error('Queues have no connection of their own')),
    end: () => Promise.resolve(),
    on: () => pool,
    removeAllListeners: () => pool,
  };
  return pool;
}
