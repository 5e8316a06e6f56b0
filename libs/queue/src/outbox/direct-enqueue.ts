import type { PgQueryable } from 'bullmq';
import type { JobDraft } from '../jobs/job-draft.js';
import { QueueSetupError } from '../queue.errors.js';
import type { SqlSession } from './sql-session.js';

/** Not documented by BullMQ, so that its types are asked for at start. */
const FUNCTION =
  'bullmq.add_job(text,text,text,jsonb,jsonb,integer,bigint,bigint,integer,text,text,text,text,text,boolean)';

// Values travel as text: no driver or library converts them in its own way.
const ADD_JOB = `SELECT bullmq.add_job($1::text, $2::text, $3::text, $4::text::jsonb, $5::text::jsonb, $6::text::int,
  $7::text::bigint, $8::text::bigint, $9::text::int, NULL, NULL, NULL, nullif($10::text, ''), NULL, $11::text::boolean) AS id`;

/**
 * Adds a job to the Postgres store as part of the transaction of `session`, which has to be in the database of the store.
 * Workers hear of it at commit.
 * @returns the id of the job, or of the one that stands for it, by deduplication.
 */
export async function enqueueDirectly(session: SqlSession, draft: JobDraft): Promise<string> {
  const { queue, id, name, data, options } = draft;
  const { attempts = 0, priority = 0, delay = 0, timestamp = Date.now(), deduplication, lifo = false } = options;
  const stored = JSON.stringify({ ...options, attempts });
  const values = [queue, id, name, JSON.stringify(data), stored, priority, delay, timestamp, attempts].map(String);
  const { rows } = await session.query(ADD_JOB, [...values, deduplication?.id ?? '', String(lifo)]);
  return rows[0]!['id']!;
}

/** @throws QueueSetupError when this version of BullMQ adds its jobs in another way. */
export async function assertDirectEnqueue(pool: PgQueryable): Promise<void> {
  const { rows } = await pool.query<{ found: string | null }>('SELECT to_regprocedure($1::text)::text AS found', [
    FUNCTION,
  ]);
  if (rows[0]?.found == null) {
    throw new QueueSetupError(
      `the database has no ${FUNCTION}, by which jobs are added in a transaction. Run the migrations of BullMQ 6.7, or ` +
        'use the version of BullMQ that this lib was made for.',
    );
  }
}
