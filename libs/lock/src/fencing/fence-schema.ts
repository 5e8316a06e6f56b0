import type { Session } from './database.js';
import { databaseOf } from './database-of.js';
import { FENCE_SCHEMA_VERSION, fenceStatements } from './fence.sql.js';
import type { Transactional } from './transactional.js';

const ASK_WITHIN_MS = 5_000;

/**
 * Creates or updates what fencing needs in a database. Where it is there, as after a migration by hand, no right to
 * create anything is needed. Several processes may do it at once; an older one changes nothing.
 */
export async function ensureFenceSchema(db: Transactional): Promise<void> {
  const database = databaseOf(db);
  if (await isInstalled({ query: (text) => database.query(text, [], ASK_WITHIN_MS) })) return;
  await database.transaction(
    () => {},
    async (session) => {
      // Held until the transaction ends: a concurrent CREATE OR REPLACE fails with "tuple concurrently updated".
      await session.query(`SELECT pg_advisory_xact_lock(hashtextextended('roost fence', 0))::text`);
      if (await isInstalled(session)) return;
      for (const statement of fenceStatements) await session.query(statement);
    },
  );
}

async function isInstalled(session: Session): Promise<boolean> {
  const [found] = await session.query(`SELECT to_regprocedure('roost_fence_version()')::text AS name`);
  if (found?.['name'] === null) return false;
  const [row] = await session.query('SELECT roost_fence_version()::text AS version');
  return Number(row?.['version']) >= FENCE_SCHEMA_VERSION;
}
