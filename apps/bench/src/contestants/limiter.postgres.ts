import { Pool } from 'pg';
import type { Contestant } from '../contestant.js';
import { cpuUsOf } from '../process-cpu.js';
import { limiterOf, openLimiter } from './limiter.js';

const WINDOW_MS = 3_600_000;
/** What `pg` opens by default. */
const CONNECTIONS = 10;

/** Room in each page lets an update stay in it, without touching the indexes; the second one is for tidying up. */
const TABLE = `
  DROP TABLE IF EXISTS rate_hits;
  CREATE TABLE rate_hits (key text PRIMARY KEY, hits integer NOT NULL, ends_at timestamptz NOT NULL) WITH (fillfactor = 50);
  CREATE INDEX ON rate_hits (ends_at);`;

const COUNT = `
  INSERT INTO rate_hits AS hit (key, hits, ends_at) VALUES ($1, 1, now() + $2 * interval '1 ms')
  ON CONFLICT (key) DO UPDATE SET
    hits = CASE WHEN hit.ends_at > now() THEN hit.hits + 1 ELSE 1 END,
    ends_at = CASE WHEN hit.ends_at > now() THEN hit.ends_at ELSE excluded.ends_at END
  RETURNING hits`;

/** A limiter without Redis, as one writes it first: a table of counters, one prepared upsert per check. */
export const postgresCounter: Contestant = async (task) => {
  if (task.postgresUrl === undefined) throw new Error('there is no PostgreSQL in this run');
  const pool = new Pool({ connectionString: task.postgresUrl, max: CONNECTIONS });
  await pool.query(TABLE);
  const backends = await connectAll(pool);
  const passes = async (policy: string, subject: string, limit: number) => {
    const values = [`${policy}:${subject}`, WINDOW_MS];
    const { rows } = await pool.query<{ hits: number }>({ name: 'count', text: COUNT, values });
    return rows[0]!.hits <= limit;
  };
  const opened = await openLimiter(
    limiterOf(passes, () => pool.end()),
    task,
  );
  return { ...opened, serverCpuUs: () => backends.reduce((total, pid) => total + cpuUsOf(pid), 0) };
};

/** Opens every connection before anything is measured; resolves to the processes that serve them. */
async function connectAll(pool: Pool): Promise<number[]> {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()));
  const answers = await Promise.all(
    clients.map((client) => client.query<{ pid: number }>('SELECT pg_backend_pid() pid')),
  );
  for (const client of clients) client.release();
  return answers.map(({ rows }) => rows[0]!.pid);
}
