import type { PgQueryable } from 'bullmq';
import { KeyLimits, refused, type KeyClaim, type KeyHold, type KeyVerdict } from './key-limits.js';
import { limitKeyOf } from './limit.keys.js';
import { cellOf } from './rate-cell.js';

/**
 * Limits in Postgres, by its clock, after {@link keyLimitsSchemaSql} was run. Each call is one statement: a pool of
 * node-postgres and one in front of PGlite serve as well as each other. Rejects as the pool does.
 */
export class PostgresKeyLimits extends KeyLimits {
  constructor(private readonly pool: PgQueryable) {
    super();
  }

  async acquire(claim: KeyClaim): Promise<KeyVerdict> {
    const { intervalUs, burstUs } = cellOf(claim.rate);
    const { rows } = await this.pool.query<{ o_by: 'concurrency' | 'rate' | null; o_wait_ms: number }>(
      'SELECT o_by, o_wait_ms FROM roost_queue.acquire_key($1, $2, $3, $4, $5, $6)',
      [limitKeyOf(claim).name, claim.token, claim.concurrency ?? 0, intervalUs, burstUs, claim.leaseMs],
    );
    const { o_by: by, o_wait_ms: waitMs } = rows[0]!;
    return by === null ? { granted: true } : refused(by, Number(waitMs));
  }

  async renew(holds: readonly KeyHold[], leaseMs: number): Promise<readonly KeyHold[]> {
    const names = holds.map((hold) => limitKeyOf(hold).name);
    const { rows } = await this.pool.query<{ place: number }>(
      'SELECT place FROM roost_queue.renew_keys($1, $2, $3) AS place',
      [names, holds.map(({ token }) => token), leaseMs],
    );
    return rows.map(({ place }) => holds[place - 1]!);
  }

  async release(hold: KeyHold): Promise<void> {
    const values = [limitKeyOf(hold).name, hold.token];
    await this.pool.query('DELETE FROM roost_queue.key_hold WHERE name = $1 AND token = $2', values);
  }
}
