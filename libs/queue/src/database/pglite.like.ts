import type { PgQueryResult } from 'bullmq';

/** What a statement gives. */
interface PgliteResults<R = unknown> {
  readonly rows: R[];
  readonly affectedRows?: number;
}

/** How values of the result are read, by the number of their type. */
interface PgliteQueryOptions {
  readonly parsers?: Record<number, (text: string) => unknown>;
}

/** What runs statements of a PGlite, alone or in a transaction. */
export interface PgliteQueryable {
  query<R = unknown>(text: string, params?: unknown[], options?: PgliteQueryOptions): Promise<PgliteResults<R>>;
  exec(text: string, options?: PgliteQueryOptions): Promise<PgliteResults[]>;
}

/** What is used of a PGlite. */
export interface PgliteLike extends PgliteQueryable {
  transaction<T>(run: (tx: PgliteQueryable) => Promise<T>): Promise<T>;
  listen(channel: string, callback: (payload: string) => void): Promise<() => Promise<void>>;
}

/** Runs one statement, or a script when there are no values. */
export async function runIn<R>(
  db: PgliteQueryable,
  text: string,
  params?: readonly unknown[],
): Promise<PgQueryResult<R>> {
  const { rows, affectedRows } = params?.length
    ? await db.query<R>(text, [...params], AS_NODE_POSTGRES)
    : ((await db.exec(text, AS_NODE_POSTGRES)).at(-1) ?? { rows: [] });
  return { rows: rows as R[], rowCount: affectedRows ?? rows.length };
}

/** BullMQ reads int8 as text, which node-postgres gives. */
const AS_NODE_POSTGRES = { parsers: { 20: (text: string) => text } };
