import { LockBusyError, StaleFenceError } from '../lock.errors.js';
import type { Session } from './database.js';
import { databaseOf } from './database-of.js';
import { ensureFenceSchema } from './fence-schema.js';
import { storedName } from './stored-name.js';
import { isSchemaMissing, sqlErrorIn, textArray } from './sql-error.js';
import type { Transactional, TransactionOf } from './transactional.js';

/** What a transaction shows to be let in. */
export interface Fence {
  /** `<space>:<key>`: keys of different spaces, such as two Redis prefixes, are different locks. */
  readonly resource: string;
  readonly token: bigint;
  readonly holder: string;
}

/**
 * Runs a transaction whose first statement is the fence: it waits for the transaction of an earlier holder to end, and
 * is refused once a later holder was here. Read what decisions are based on after it, inside the transaction. A holder
 * that only reads elsewhere, without a transaction of this kind, keeps no earlier holder out. In REPEATABLE READ, having
 * waited ends in Postgres' error 40001; try again. A failed COMMIT passes as the driver reports it: when the connection
 * broke, whether it was committed is unknown.
 * @throws StaleFenceError when a later holder was here, LockBusyError while somebody else holds a lease of guard mode,
 * whatever `assertHeld` throws before BEGIN and before COMMIT; every other error passes unchanged.
 */
export async function fencedTransaction<Db extends Transactional, Result>(
  db: Db,
  fences: readonly Fence[],
  assertHeld: () => void,
  run: (tx: TransactionOf<Db>) => Promise<Result>,
): Promise<Result> {
  const stored = fences.map((fence) => ({ ...fence, resource: storedName(fence.resource) }));
  const database = databaseOf(db);
  let fenced = false;
  const attempt = () =>
    database.transaction(assertHeld, async (session, tx) => {
      await sendFences(session, stored);
      fenced = true;
      const result = await run(tx);
      assertHeld();
      return result;
    });
  try {
    return await attempt();
  } catch (error) {
    if (fenced || !isSchemaMissing(error)) throw error;
    // The database could not be reached when the schema was to be created, at boot.
    await ensureFenceSchema(db);
    return attempt();
  }
}

async function sendFences(session: Session, fences: readonly Fence[]): Promise<void> {
  try {
    await session.query('SELECT roost_fences($1::text::text[], $2::text::bigint[], $3::text::text[])::text', [
      textArray(fences.map(({ resource }) => resource)),
      textArray(fences.map(({ token }) => `${token}`)),
      textArray(fences.map(({ holder }) => holder)),
    ]);
  } catch (error) {
    throw refusalIn(error, fences) ?? error;
  }
}

function refusalIn(error: unknown, fences: readonly Fence[]): Error | undefined {
  const { code, detail = '' } = sqlErrorIn(error) ?? {};
  if (code === 'LK002') return new LockBusyError([detail]);
  if (code !== 'LK001') return undefined;
  const [, newest = '0', resource = ''] = /^(\d+) ([^]*)$/.exec(detail) ?? [];
  const token = fences.find((fence) => fence.resource === resource)?.token ?? 0n;
  return new StaleFenceError(resource, token, BigInt(newest), error);
}
