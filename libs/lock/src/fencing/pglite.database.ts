import { answerWithin, type Database, type Row, type Session } from './database.js';

interface PgliteQueries {
  query(text: string, values?: readonly string[]): Promise<{ rows: Row[] }>;
}

/** What is used of PGlite. */
export interface Pglite extends PgliteQueries {
  exec(text: string): Promise<unknown>;
  transaction<Result>(run: (tx: PgliteQueries) => Promise<Result>): Promise<Result>;
}

/** Whether something is a PGlite; its transactions lack `transaction`, and Drizzle lacks `exec`. */
export function isPglite(given: object): given is Pglite {
  const { exec, query, transaction } = given as Partial<Pglite>;
  return typeof exec === 'function' && typeof query === 'function' && typeof transaction === 'function';
}

/** PGlite: a database in this process with one connection, so that everything waits for a transaction that is open. */
export class PgliteDatabase implements Database<PgliteQueries> {
  constructor(private readonly pglite: Pglite) {}

  query(text: string, values: readonly string[], timeoutMs: number): Promise<readonly Row[]> {
    return answerWithin(
      timeoutMs,
      this.pglite.query(text, values).then(({ rows }) => rows),
    );
  }

  async transaction<Result>(
    beforeBegin: () => void,
    run: (session: Session, tx: PgliteQueries) => Promise<Result>,
  ): Promise<Result> {
    beforeBegin();
    let own: { readonly error: unknown } | undefined;
    try {
      return await this.pglite.transaction((tx) => {
        const session: Session = { query: async (text, values) => (await tx.query(text, values)).rows };
        return run(session, tx).catch((error: unknown) => {
          own = { error };
          throw error;
        });
      });
    } catch (error) {
      throw own ? own.error : error; // a failing ROLLBACK must not hide why there was one
    }
  }
}
