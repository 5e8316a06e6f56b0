import type { JobDraft } from '../jobs/job-draft.js';
import * as sql from './outbox.sql.js';
import type { SqlRow, SqlSession } from './sql-session.js';

/** A draft that one relay is to deliver, and no other while its lease lasts. */
export interface ClaimedDraft extends JobDraft {
  /** Where it is in the table. */
  readonly place: string;
  /** How often it was claimed, this time included. */
  readonly attempts: number;
}

/** A claimed draft that was not delivered. */
export interface Undelivered {
  readonly draft: ClaimedDraft;
  readonly error: unknown;
  /** How long it is left alone, in ms; undefined when it is never to be tried again. */
  readonly pauseMs: number | undefined;
}

/** How one draft is doing. */
export interface DraftReport {
  readonly state: 'waiting' | 'dead';
  readonly attempts: number;
  /** Why it was not delivered the last time. */
  readonly lastError: string | undefined;
}

/** How full the outbox is. */
export interface OutboxDepth {
  readonly waiting: number;
  /** Age of the draft that waits longest, in ms; 0 when none does. */
  readonly oldestAgeMs: number;
  readonly dead: number;
}

const MAX_ERROR = 1_000;

/**
 * The table of drafts, after {@link sql.outboxSchemaSql} was run. Each call is one statement, by the clock of the
 * database; rejects as the database does.
 */
export class OutboxTable {
  /** @param pool of the database that the tables of the business are in. */
  /** @param queues whose drafts are claimed; without it those of all. Other applications may share the database. */
  constructor(
    private readonly pool: SqlSession,
    private readonly queues?: () => readonly string[],
  ) {}

  /** Adds drafts, as part of the transaction of `session`. One whose id waits already is not added again. */
  async insert(session: SqlSession, drafts: readonly JobDraft[]): Promise<void> {
    if (drafts.length > 0) await session.query(sql.INSERT_DRAFTS, [JSON.stringify(drafts.map(rowOf))]);
  }

  /** Gives the oldest that are due to a relay, in their order. They are due again when `leaseMs` have passed. */
  async claim(relay: string, limit: number, leaseMs: number): Promise<readonly ClaimedDraft[]> {
    const queues = this.queues === undefined ? '*' : JSON.stringify(this.queues());
    const { rows } = await this.pool.query(sql.CLAIM_DRAFTS, [relay, `${limit}`, `${leaseMs}`, queues]);
    return rows.map(draftOf);
  }

  /** Forgets drafts that were delivered. What another relay has claimed meanwhile is left to that one. */
  async delete(relay: string, drafts: readonly ClaimedDraft[]): Promise<void> {
    if (drafts.length === 0) return;
    await this.pool.query(sql.DELETE_DRAFTS, [relay, JSON.stringify(drafts.map(({ place }) => place))]);
  }

  /** Gives up the claims of drafts that were not delivered. */
  async release(relay: string, undelivered: readonly Undelivered[]): Promise<void> {
    if (undelivered.length === 0) return;
    const rows = undelivered.map(({ draft: { place }, error, pauseMs }) => ({
      place,
      error: storable(error),
      pause: pauseMs === undefined ? null : Math.ceil(pauseMs),
    }));
    await this.pool.query(sql.RELEASE_DRAFTS, [relay, JSON.stringify(rows)]);
  }

  /** The draft of a job; of several with this id the one that waits, else the one that died last. */
  async find(queue: string, id: string): Promise<DraftReport | undefined> {
    const { rows } = await this.pool.query(sql.FIND_DRAFT, [queue, id]);
    const [row] = rows;
    if (row === undefined) return undefined;
    const state = row['dead'] === 'true' ? 'dead' : 'waiting';
    return { state, attempts: Number(row['attempts']), lastError: row['last_error'] ?? undefined };
  }

  /** Whether there was one that waited, and no relay had it. */
  async remove(queue: string, id: string): Promise<boolean> {
    return (await this.pool.query(sql.REMOVE_DRAFT, [queue, id])).rows.length > 0;
  }

  async depth(): Promise<OutboxDepth> {
    const [row] = (await this.pool.query(sql.MEASURE_DRAFTS)).rows;
    return { waiting: Number(row!['waiting']), oldestAgeMs: Number(row!['age']), dead: Number(row!['dead']) };
  }
}

/** Delays count from now, and not from when the draft is delivered. */
function rowOf({ queue, id, name, data, options }: JobDraft) {
  const stored = { timestamp: Date.now(), ...options };
  return { queue, id, name, data: JSON.stringify(data), options: JSON.stringify(stored) };
}

function draftOf(row: SqlRow): ClaimedDraft {
  return {
    queue: row['queue']!,
    id: row['id']!,
    name: row['name']!,
    data: JSON.parse(row['data']!) as unknown,
    options: JSON.parse(row['options']!) as JobDraft['options'],
    place: row['place']!,
    attempts: Number(row['attempts']),
  };
}

/** Postgres refuses U+0000 and halves of characters, and a refused release would be repeated for ever. */
function storable(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return Buffer.from(message.slice(0, MAX_ERROR)).toString().replaceAll('\0', '');
}
