import type { PGlite } from '@electric-sql/pglite';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';

/** What statements are built on and sent by, whichever Postgres runs them. */
export type Db = PgDatabase<PgQueryResultHKT, Record<string, never>>;

/** Where the database is: a server, or this process, where it is kept in a folder or, `forgetful`, nowhere. */
export type DatabasePlace =
  { readonly url: string } | { readonly pglite: () => Promise<PGlite>; readonly forgetful: boolean };

/** A Postgres, wherever it runs. */
export interface Driver {
  readonly name: 'postgres' | 'pglite';
  readonly db: Db;
  readonly place: DatabasePlace;
  /** Connects and applies what the schema lacks; may be repeated after a failure. */
  open(): Promise<void>;
  /** Asks, past everything that may be in its way, whether the database serves. */
  probe(): Promise<void>;
  close(): Promise<void>;
}
