import { show } from '@roost/redis';
import { OutboxUnsupportedError } from '../queue.errors.js';
import { SHAPES, type Given } from './transaction-shapes.js';

/** A row whose statement has cast each column to text. */
export type SqlRow = Readonly<Record<string, string | null>>;

/** What sends one statement of Postgres, with `$1` and so on for its values. */
export interface SqlSession {
  query(text: string, values?: readonly string[]): Promise<{ readonly rows: readonly SqlRow[] }>;
}

/**
 * Recognises a transaction by its shape, as this lib imports no database: that of node-postgres, PGlite, Drizzle, Knex,
 * Kysely, TypeORM or postgres.js. For any other a function `(text, values) => Promise<{ rows }>` sends a statement in it.
 * @throws OutboxUnsupportedError for anything else, and for what is outside of a transaction: the job would not be added
 * together with what the transaction writes.
 */
export function sessionOf(tx: unknown): SqlSession {
  if ((typeof tx !== 'object' && typeof tx !== 'function') || tx === null) throw unsupported(tx);
  const given = tx as unknown as Given;
  const shape = SHAPES.find((each) => each.is(given));
  if (shape === undefined) throw unsupported(tx);
  const outside = shape.outside(given);
  if (outside !== undefined) {
    throw new OutboxUnsupportedError(
      `Expected a transaction, got ${outside}: the job would be kept even when what is written with it is not`,
    );
  }
  return { query: async (text, values = []) => rowsOf(await shape.send(given, text, [...values])) };
}

function unsupported(tx: unknown): OutboxUnsupportedError {
  return new OutboxUnsupportedError(
    'Expected a client of node-postgres on which BEGIN was sent, a transaction of PGlite, Drizzle, Knex, Kysely, TypeORM ' +
      `or postgres.js, or a function (text, values) => Promise<{ rows }> that runs SQL in one, got ${show(tx)}`,
  );
}

/** Libraries answer with rows, or with an object that has them. */
function rowsOf(answer: unknown): { rows: readonly SqlRow[] } {
  const rows: unknown = Array.isArray(answer) ? answer : (answer as { rows?: unknown } | undefined)?.rows;
  if (Array.isArray(rows)) return { rows: rows as readonly SqlRow[] };
  throw new OutboxUnsupportedError(`Expected a statement to resolve to { rows }, got ${show(answer)}`);
}
