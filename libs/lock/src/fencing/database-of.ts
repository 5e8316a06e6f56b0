import { show } from '@roost/redis';
import { FenceUnsupportedError } from '../lock.errors.js';
import type { Database } from './database.js';
import { alreadyBegun, DrizzleDatabase, isDrizzle, withoutControl } from './drizzle.database.js';
import { isPglite, PgliteDatabase } from './pglite.database.js';
import { isPool, PoolDatabase } from './pool.database.js';
import type { Transactional, TransactionOf } from './transactional.js';

/**
 * Recognises a database by its shape, as this lib imports none.
 * @throws FenceUnsupportedError when it is none whose transactions can be fenced.
 */
export function databaseOf<Db extends Transactional>(db: Db): Database<TransactionOf<Db>> {
  return recognise(db) as unknown as Database<TransactionOf<Db>>;
}

function recognise(db: unknown): Database<unknown> {
  if (typeof db === 'object' && db !== null) {
    if (isPool(db)) return new PoolDatabase(db) as Database<unknown>;
    if (isPglite(db)) return new PgliteDatabase(db) as Database<unknown>;
    if (isDrizzle(db)) {
      const { $client: client } = db;
      if (isPool(client)) return new DrizzleDatabase(db, new PoolDatabase(client), withoutControl);
      if (isPglite(client)) return new DrizzleDatabase(db, new PgliteDatabase(client), alreadyBegun);
    }
  }
  throw new FenceUnsupportedError(
    'Expected a pool of node-postgres, a PGlite, or a Drizzle database on one of them (not a single client, and not a ' +
      `transaction that has begun: the fence is its first statement), got ${show(db)}`,
  );
}
