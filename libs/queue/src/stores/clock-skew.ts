import type { PgQueryable } from 'bullmq';

/** Of so many looks the fastest counts, which knows best. */
const LOOKS = 3;

/**
 * By how many ms this process is ahead of Postgres, to within half a round trip.
 * @param now the clock of this process, in ms since 1970.
 */
export async function clockSkew(pool: Pick<PgQueryable, 'query'>, now: () => number): Promise<number> {
  let best = { skewMs: 0, tookMs: Infinity };
  for (let look = 0; look < LOOKS; look++) {
    const startedAt = performance.now();
    const before = now();
    const { rows } = await pool.query<{ ms: string }>(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms',
      [],
    );
    const tookMs = performance.now() - startedAt;
    if (tookMs < best.tookMs) best = { skewMs: Math.round(before + tookMs / 2 - Number(rows[0]!.ms)), tookMs };
  }
  return best.skewMs;
}
