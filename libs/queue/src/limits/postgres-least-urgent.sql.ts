import type { PgQueryable } from 'bullmq';

/** By BullMQ's index `job_ready_idx (queue, priority, seq)`: three look-ups, however many jobs wait. */
const sql = `
WITH ends AS (
  SELECT
    (SELECT priority FROM bullmq.job WHERE queue = $1 AND state = 'waiting' ORDER BY priority DESC LIMIT 1) AS last,
    (SELECT priority FROM bullmq.job WHERE queue = $1 AND state = 'waiting' ORDER BY priority LIMIT 1) AS first
)
SELECT j.id FROM ends JOIN bullmq.job j ON j.queue = $1 AND j.state = 'waiting' AND j.priority = ends.last
WHERE ends.first < ends.last ORDER BY j.seq LIMIT 1`;

/** The id of the job of BullMQ that waits longest among the least urgent; undefined when all are equally urgent. */
export async function postgresLeastUrgent(pool: PgQueryable, queue: string): Promise<string | undefined> {
  const { rows } = await pool.query<{ id: string }>(sql, [queue]);
  return rows[0]?.id;
}
