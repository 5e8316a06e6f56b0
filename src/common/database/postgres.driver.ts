import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { Availability } from './availability.js';
import { DatabaseSetupError } from './database.errors.js';
import type { DatabasePlace, Db, Driver } from './driver.js';
import { connectionTo, GuardedPool } from './guarded-pool.js';
import { migrate, type Migration } from './migrations.js';
import { outageAtConnect, outageOf } from './outages.js';

const PROBE_WITHIN_MS = 1_000;
const SET_UP_WITHIN_MS = 30_000;
const CONNECT_WITHIN_MS = 1_500;

/** A server of Postgres, by node-postgres. */
export class PostgresDriver implements Driver {
  readonly name = 'postgres';
  readonly db: Db;
  readonly place: DatabasePlace;
  readonly #pool: GuardedPool;

  constructor(
    private readonly url: string,
    private readonly migrations: readonly Migration[],
    availability: Availability,
  ) {
    this.place = { url };
    this.#pool = new GuardedPool(url, availability);
    this.db = drizzle(this.#pool) as unknown as Db;
  }

  async open(): Promise<void> {
    try {
      await this.#alone(SET_UP_WITHIN_MS, async (client) => {
        await migrate(async (text) => (await client.query<object>(text)).rows, this.migrations);
      });
    } catch (error) {
      throw outageOf(error) ?? setupError(error);
    }
  }

  probe(): Promise<void> {
    return this.#alone(PROBE_WITHIN_MS, async (client) => void (await client.query('SELECT 1')));
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  /** Runs it on a connection of its own, which a pool that is in use to the last cannot hold up. */
  async #alone(withinMs: number, run: (client: pg.Client) => Promise<void>): Promise<void> {
    const connection = connectionTo(this.url, Math.min(withinMs, CONNECT_WITHIN_MS));
    const client = new pg.Client({ ...connection, query_timeout: withinMs });
    client.on('error', () => {}); // what runs rejects as well
    try {
      await client.connect().catch((error: unknown) => {
        throw outageAtConnect(error) ?? error;
      });
      await run(client);
    } finally {
      client.end().catch(() => {}); // a server that hangs never says good-bye
    }
  }
}

/** What an administrator has to do is in the message of Postgres, which names no password. */
function setupError(error: unknown): DatabaseSetupError {
  const { message, hint } = error as Error & { hint?: string };
  return new DatabaseSetupError(hint ? `${message} (${hint})` : message, { cause: error });
}
