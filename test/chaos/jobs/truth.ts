import type { RedisServer } from '@roost/testing';
import type { Pool } from 'pg';
import type { Deployment } from './deployment.js';

/** A booking as the database has it. */
interface Booking {
  readonly id: string;
  /** When its transaction began, by the clock of this machine, in ms. */
  readonly at: number;
}

/** A job that confirms a booking, as its store has it. */
export interface Job {
  readonly id: string;
  readonly bookingId: string;
  readonly completed: boolean;
  /** How often it was started. */
  readonly starts: number;
  /** How often an attempt of it ended, well or not. */
  readonly attempts: number;
  /** How often it was taken from somebody who gave no sign of life. */
  readonly stalls: number;
  readonly failure: string | undefined;
}

/** What is written down when all is quiet. */
export interface Truth {
  readonly bookings: readonly Booking[];
  readonly jobs: readonly Job[];
  /** Ids of jobs that have not left the outbox. */
  readonly waiting: readonly string[];
}

/** Reads the outbox first: what leaves it meanwhile is then found among the jobs. */
export async function truthOf({ pool, redis }: Deployment): Promise<Truth> {
  const waiting = redis === undefined ? [] : await idsInOutbox(pool);
  const jobs = redis === undefined ? await jobsInPostgres(pool) : await jobsInRedis(redis);
  const bookings = await pool.query<{ id: string; at: string }>(
    'SELECT id, extract(epoch FROM created_at) * 1000 AS at FROM bookings',
  );
  return {
    bookings: bookings.rows.map(({ id, at }) => ({ id, at: Number(at) })),
    jobs,
    waiting,
  };
}

/** How much is still to be done. */
export function unfinished({ jobs, waiting }: Truth): number {
  return waiting.length + jobs.filter(({ completed, failure }) => !completed && failure === undefined).length;
}

async function idsInOutbox(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>('SELECT id FROM roost_queue.outbox');
  return rows.map(({ id }) => id);
}

/** All of them in one step, else it would take a question for each. */
const JOBS = `
local found = {}
for _, key in ipairs(redis.call('KEYS', '{roost:jobs}:emails:*')) do
  if redis.call('TYPE', key).ok == 'hash' and redis.call('HGET', key, 'name') == 'confirm' then
    local job = redis.call('HMGET', key, 'data', 'ats', 'atm', 'stc', 'finishedOn', 'failedReason')
    for i = 1, 6 do job[i] = job[i] or '' end
    table.insert(job, 1, string.match(key, '[^:]+$'))
    table.insert(found, job)
  end
end
return found`;

async function jobsInRedis(redis: RedisServer): Promise<Job[]> {
  const found = (await redis.command('EVAL', JOBS, 0)) as string[][];
  return found.map(([id, data, starts, attempts, stalls, finishedOn, failure]) => ({
    id: id!,
    bookingId: (JSON.parse(data!) as { bookingId: string }).bookingId,
    completed: finishedOn !== '' && failure === '',
    starts: Number(starts),
    attempts: Number(attempts),
    stalls: Number(stalls),
    failure: finishedOn !== '' && failure !== '' ? failure : undefined,
  }));
}

async function jobsInPostgres(pool: Pool): Promise<Job[]> {
  const { rows } = await pool.query<Job & { failure: string | null }>(
    `SELECT id, data->>'bookingId' AS "bookingId", state = 'completed' AS completed, attempts_started AS starts,
       attempts_made AS attempts, stalled_count AS stalls, CASE WHEN state = 'failed' THEN coalesce(failed_reason, 'failed') END AS failure
     FROM bullmq.job WHERE queue = 'emails' AND name = 'confirm'`,
  );
  return rows.map((row) => ({ ...row, failure: row.failure ?? undefined }));
}
