import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';

/** What statements are built on and sent by, whichever Postgres runs them. */
export type Db = PgDatabase<PgQueryResultHKT, Record<string, never>>;

/** A Postgres, wherever it runs. */
export interface Driver {
  readonly name: 'postgres' | 'pglite';
  readonly db: Db;
  /** Connects and applies what the schema lacks; may be repeated after a failure. */
  open(): Promise<void>;
  /** Asks, past everything that may be in its way, whether the database serves. */
  probe(): Promise<void>;
  close(): Promise<void>;
}
