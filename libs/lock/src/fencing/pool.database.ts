import { TransactionAbortedError } from '../lock.errors.js';
import { answerWithin, type Database, type Row, type Session } from './database.js';

/** What is used of a client of node-postgres. */
export interface PooledClient {
  query(text: string, values?: readonly string[]): Promise<{ rows: Row[]; command?: string }>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
  release(destroy?: Error): void;
  /** `I` outside of a transaction; older versions do not tell. */
  getTransactionStatus?(): string | null;
}

/** What is used of a pool of node-postgres. */
export interface Pool {
  connect(): Promise<PooledClient>;
  readonly totalCount: number;
}

/** A client that goes back to its pool once. */
interface Lent {
  readonly client: PooledClient;
  /** Closes the connection at once instead: nobody knows what it is doing. */
  readonly destroy: (why: Error) => void;
}

/** Whether something is a pool of node-postgres. */
export function isPool(given: object): given is Pool {
  const { connect, totalCount } = given as Partial<Pool>;
  return typeof connect === 'function' && typeof totalCount === 'number';
}

/** A pool of node-postgres. */
export class PoolDatabase implements Database<PooledClient> {
  constructor(private readonly pool: Pool) {}

  query(text: string, values: readonly string[], timeoutMs: number): Promise<readonly Row[]> {
    let late: Error | undefined;
    let destroy: ((why: Error) => void) | undefined;
    const answer = this.#lend(async (lent) => {
      if (late) throw late; // a connection came when nobody waited any more: the statement must not be sent
      destroy = lent.destroy;
      return (await lent.client.query(text, values)).rows;
    });
    return answerWithin(timeoutMs, answer, (why) => {
      late = why;
      destroy?.(why);
    });
  }

  transaction<Result>(
    beforeBegin: () => void,
    run: (session: Session, tx: PooledClient) => Promise<Result>,
  ): Promise<Result> {
    return this.#lend(async ({ client, destroy }) => {
      beforeBegin();
      let result: Result;
      try {
        await client.query('BEGIN');
        result = await run({ query: async (text, values) => (await client.query(text, values)).rows }, client);
        assertOpen(client);
      } catch (error) {
        await client.query('ROLLBACK').catch(destroy);
        throw error;
      }
      await commit(client).catch((error: Error) => {
        destroy(error);
        throw error;
      });
      return result;
    });
  }

  async #lend<Result>(run: (lent: Lent) => Promise<Result>): Promise<Result> {
    const client = await this.pool.connect();
    let returned = false;
    const giveBack = (why?: Error) => {
      if (!returned) client.release(why);
      returned = true;
    };
    // A connection that breaks between two statements ends the process when nobody listens; the next one rejects anyway.
    const ignore = () => {};
    client.on('error', ignore);
    try {
      return await run({ client, destroy: giveBack });
    } finally {
      giveBack();
      client.removeListener('error', ignore);
    }
  }
}

/** Whatever it did after a COMMIT or ROLLBACK of its own was not fenced. */
function assertOpen(client: PooledClient): void {
  if (client.getTransactionStatus?.() === 'I') throw new TransactionAbortedError('its body ended it by hand');
}

async function commit(client: PooledClient): Promise<void> {
  const { command } = await client.query('COMMIT');
  // That is what COMMIT does after a failed statement, and node-postgres resolves: nobody would notice.
  if (command === 'ROLLBACK') throw new TransactionAbortedError('a statement failed and its error was swallowed');
}
