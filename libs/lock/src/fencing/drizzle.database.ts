import type { Database, Row, Session } from './database.js';

/** What is used of a Drizzle database. */
export interface Drizzle {
  readonly $client: object;
  /** What runs its queries on its `client`. */
  readonly session: { transaction<Result>(run: (tx: never) => Promise<Result>): Promise<Result> };
}

/** The client that a Drizzle transaction is to run on. */
export type ClientFor<Inner> = (inner: Inner) => object;

/** Whether something is a Drizzle database; its transactions have no `$client`. */
export function isDrizzle(given: object): given is Drizzle {
  const { $client: client, session } = given as Partial<Drizzle>;
  return typeof client === 'object' && client !== null && typeof session?.transaction === 'function';
}

/**
 * A Drizzle database. Its own transactions hide a failed COMMIT behind the ROLLBACK after it, and die with the process
 * when a connection of node-postgres breaks: so the transaction is that of the library below, and Drizzle runs in it.
 */
export class DrizzleDatabase<Inner> implements Database<never> {
  constructor(
    private readonly drizzle: Drizzle,
    private readonly inner: Database<Inner>,
    private readonly clientFor: ClientFor<Inner>,
  ) {}

  query(text: string, values: readonly string[], timeoutMs: number): Promise<readonly Row[]> {
    return this.inner.query(text, values, timeoutMs);
  }

  transaction<Result>(beforeBegin: () => void, run: (session: Session, tx: never) => Promise<Result>): Promise<Result> {
    return this.inner.transaction(beforeBegin, (session, inner) => {
      const client = { value: this.clientFor(inner) };
      const pinned = Object.create(this.drizzle.session, { client }) as Drizzle['session'];
      return pinned.transaction((tx) => run(session, tx));
    });
  }
}

/** For Drizzle on node-postgres, which sends these itself: the transaction has begun, and is ended by who began it. */
export function withoutControl(client: object): object {
  const real = client as { query(config: unknown, values?: unknown): unknown };
  const value = (config: unknown, values?: unknown) =>
    isControl(config) ? Promise.resolve({ rows: [] }) : real.query(config, values);
  return Object.create(real, { query: { value } }) as object;
}

/** For Drizzle on PGlite, which asks its client for a transaction. */
export function alreadyBegun(tx: object): object {
  return { transaction: <Result>(run: (tx: object) => Promise<Result>) => run(tx) };
}

function isControl(config: unknown): boolean {
  return /^(?:begin|commit|rollback)$/.test(String((config as { text?: unknown } | undefined)?.text));
}
