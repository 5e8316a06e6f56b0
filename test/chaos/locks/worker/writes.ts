import { LockError, StaleFenceError } from '@roost/lock';
import type { PoolClient } from 'pg';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Section } from './sections.js';
import type { Means, Workload } from './workload.js';

type Change = (tx: PoolClient, id: string, tok: bigint) => Promise<void>;

/** W2: raises a counter that is read first, and logs who did it, in fenced transactions; two in some sections. */
export const counter: Workload = (means) =>
  fenced(means, 'counter', async (tx, id, tok) => {
    const { rows } = await tx.query<{ value: number }>(`SELECT value FROM chaos_counter`);
    await sleep(means.random.between(0, 60));
    await tx.query(`UPDATE chaos_counter SET value = $1`, [rows[0]!.value + 1]);
    await tx.query(`INSERT INTO chaos_log (token, writer) VALUES ($1, $2)`, [String(tok), id]);
  });

/** W9: adds to a list that is read and written as a whole, in fenced transactions. */
export const set: Workload = (means) =>
  fenced(means, 'set', async (tx, id) => {
    const { rows } = await tx.query<{ ids: string[] }>(`SELECT ids FROM chaos_set`);
    await sleep(means.random.between(0, 60));
    await tx.query(`UPDATE chaos_set SET ids = $1`, [JSON.stringify([...rows[0]!.ids, id])]);
  });

/** The tables, as the run makes them before the workers start. */
export const SCHEMA = `
  CREATE TABLE chaos_counter (value int NOT NULL);
  INSERT INTO chaos_counter VALUES (0);
  CREATE TABLE chaos_log (n bigserial PRIMARY KEY, token bigint NOT NULL, writer text NOT NULL);
  CREATE TABLE chaos_set (ids jsonb NOT NULL);
  INSERT INTO chaos_set VALUES ('[]');
`;

async function fenced(means: Means, store: string, change: Change): Promise<void> {
  const { guarded, sections, random } = means;
  const key = `guarded:${store}`;
  const acquire = () => guarded.acquire(key, { ttl: 1_000, wait: 3_000, renew: random.chance(0.4) });
  const twice = random.chance(0.5);
  await sections.run({ key, weight: 1, limit: 1, acquire }, async (section) => {
    await change1(means, section, store, `${means.p}-${section.n}`, change);
    if (twice && section.held) await change1(means, section, store, `${means.p}-${section.n}b`, change);
  });
  await sleep(random.between(0, 40));
}

async function change1(
  { pool, sections }: Means,
  { n, lock }: Section,
  store: string,
  id: string,
  change: Change,
): Promise<void> {
  const tok = lock.token;
  const entry = { n, store, id, tok };
  sections.history.write({ f: 'try', ...entry });
  try {
    await lock.transaction(pool, (tx) => change(tx as PoolClient, id, tok));
    sections.history.write({ f: 'wrote', ...entry });
  } catch (error) {
    const newest = error instanceof StaleFenceError ? { newest: error.newest } : {};
    const why = codeOf(error);
    if (why === undefined) sections.expect(error);
    // Any other failure may have struck after the commit.
    const f = error instanceof LockError ? 'refused' : 'unknown';
    sections.history.write({ f, why: why ?? 'odd', ...entry, ...newest });
  }
}

/** What may happen when a server is killed, or the way to it is cut. */
function codeOf(error: unknown): string | undefined {
  const { code, message } = error as { code?: string; message?: string };
  if (error instanceof LockError) return error.code;
  if (code !== undefined && /^(E[A-Z]+|57P0\d|08\d{3}|40001|40P01|25P03)$/.test(code)) return code;
  return /Connection terminated|not queryable|timeout/i.test(message ?? '') ? 'disconnected' : undefined;
}
