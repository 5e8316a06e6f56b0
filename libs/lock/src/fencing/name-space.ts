import { databaseOf } from './database-of.js';
import { ensureFenceSchema } from './fence-schema.js';
import type { Transactional } from './transactional.js';

/**
 * Lets a database vouch that a space of locks was never used: calls `adopt`, which tells Redis that what looks like a
 * loss of memory is a first use, only when the database has not heard of the space either. Of many processes at once one
 * adopts, and the others wait for it; when `adopt` fails, the next one tries. When it says false the space is in use:
 * the database remembers that as well, or it would take Redis for new after a loss.
 * @returns whether this call adopted the space.
 */
export async function adoptNewSpace(db: Transactional, space: string, adopt: () => Promise<boolean>): Promise<boolean> {
  await ensureFenceSchema(db);
  return databaseOf(db).transaction(
    () => {},
    async (session) => {
      const rows = await session.query(
        'INSERT INTO roost_lock_space (space) VALUES ($1) ON CONFLICT DO NOTHING RETURNING space',
        [space],
      );
      return rows.length > 0 && adopt();
    },
  );
}
