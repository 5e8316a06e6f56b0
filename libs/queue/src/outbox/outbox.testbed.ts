import { Metrics } from '@roost/redis';
import { Logger } from '@nestjs/common';
import type { PGlite } from '@electric-sql/pglite';
import type { Pool } from 'pg';
import { randomUUID } from 'node:crypto';
import type { JobDraft } from '../jobs/job-draft.js';
import { OutboxMetrics } from './outbox.metrics.js';
import { OutboxRelay, type Delivery, type RelayParts } from './outbox.relay.js';
import { OutboxTable } from './outbox.table.js';
import type { SqlRow, SqlSession } from './sql-session.js';

/** A database as the outbox sees it. */
export interface Bed {
  readonly pool: SqlSession;
  readonly table: OutboxTable;
  listen(channel: string, heard: () => void): Promise<() => Promise<void>>;
  /** Runs several statements. */
  script(sql: string): Promise<unknown>;
  /** Runs a transaction of the database's own library. */
  transaction(run: (tx: object) => Promise<void>): Promise<void>;
}

export function serverBed(pool: Pool): Bed {
  return {
    pool: pool as unknown as SqlSession,
    table: new OutboxTable(pool as unknown as SqlSession),
    script: (sql) => pool.query(sql),
    async listen(channel, heard) {
      const client = await pool.connect();
      client.on('error', () => {});
      client.on('notification', heard);
      await client.query(`LISTEN ${channel}`);
      return async () => client.release(true);
    },
    async transaction(run) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        await run(client);
        await client.query('COMMIT');
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      } finally {
        client.release();
      }
    },
  };
}

export function pgliteBed(db: PGlite): Bed {
  const pool: SqlSession = {
    async query(text, values) {
      // PGlite resolves on microtasks: without this a busy loop would starve timers.
      await new Promise((resume) => setImmediate(resume));
      return db.query<SqlRow>(text, values && [...values]);
    },
  };
  return {
    pool,
    table: new OutboxTable(pool),
    script: (sql) => db.exec(sql),
    listen: (channel, heard) => db.listen(channel, heard),
    transaction: (run) => db.transaction(run),
  };
}

export function draftOf(id: string = randomUUID(), given: Partial<JobDraft> = {}): JobDraft {
  return { queue: 'mail', id, name: 'send', data: { to: id }, options: { jobId: id, attempts: 3 }, ...given };
}

/** A store that has each job once, whatever it is told. */
export class Jobs {
  /** In the order of delivery; what was there already is not delivered again. */
  readonly added: JobDraft[] = [];
  /** How often each was delivered, by id. */
  readonly seen = new Map<string, number>();
  readonly #ids = new Set<string>();

  deliver = async (drafts: readonly JobDraft[]): Promise<Delivery[]> =>
    drafts.map((draft) => {
      const { queue, id } = draft;
      this.seen.set(id, (this.seen.get(id) ?? 0) + 1);
      if (!this.#ids.has(`${queue}:${id}`)) this.added.push(draft);
      this.#ids.add(`${queue}:${id}`);
      return { queue, id };
    });

  get ids(): string[] {
    return this.added.map(({ id }) => id);
  }
}

/** A logger that keeps what it was told, as events. */
function eventLog() {
  const events: Record<string, unknown>[] = [];
  const logger = new Logger();
  logger.log = logger.warn = logger.error = (_: unknown, about: unknown) => void events.push(about as never);
  return { logger, events };
}

export interface Relay {
  readonly relay: OutboxRelay;
  readonly events: Record<string, unknown>[];
  metric(name: string): Promise<number>;
}

/** A relay as one process has it, not started. */
export function relayOn(bed: Bed, jobs: Pick<Jobs, 'deliver'>, parts: Partial<RelayParts> = {}): Relay {
  const metrics = new Metrics();
  const { logger, events } = eventLog();
  const relay = new OutboxRelay({
    table: bed.table,
    deliver: jobs.deliver,
    isServing: () => true,
    listen: (channel, heard) => bed.listen(channel, heard),
    metrics: new OutboxMetrics(metrics),
    logger,
    ...parts,
  });
  const metric = async (name: string) => {
    const { values } = (await metrics.registry.getSingleMetric(name)!.get()) as { values: { value: number }[] };
    return values[0]!.value;
  };
  return { relay, events, metric };
}
