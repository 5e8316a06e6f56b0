import {
  PostgresQueueBackend,
  type PostgresConnectionOptions,
  type QueueBaseOptions,
  type StreamReadRaw,
} from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';
import { isOutage } from '../jobs/deadline.js';
import { NO_EVENTS, noEventsForNow } from './no-events.js';
import type { Asking } from './sql-ask.js';
import { rangeLikeRedis } from './sql-ranges.js';
import { SettledEvents } from './settled-events.js';
import { SqlQueueConnection } from './sql-queue.connection.js';
import type { SqlWakeups, Wait } from './sql-wakeups.js';

/** While a queue runs as many jobs as it may, a worker looks this often whether it may take one, */
const MAXED_EVERY_MS = 1_000;
/** and after each event, but not sooner than this. */
const MAXED_PAUSE_MS = 50;
const EVENTS_AT_A_TIME = 100;
const UNSETTLED_PAUSE_MS = 5;
/** How long an event waits for others of transactions that were begun before it. */
const UNSETTLED_FOR_MS = 2_000;

export interface SqlBackendParts {
  readonly queue: string;
  readonly opts: QueueBaseOptions;
  readonly asking: Asking;
  readonly wakeups: SqlWakeups;
}

/** BullMQ's backend on Postgres, over a pool that Roost opened, where it behaves as on Redis. */
export class SqlQueueBackend extends PostgresQueueBackend {
  readonly #parts: SqlBackendParts;
  #stopped = false;
  #wait: Wait | undefined;
  /** Where events are read from while none was seen. */
  #newest: string | undefined;
  readonly #settled = new SettledEvents(UNSETTLED_FOR_MS, () => performance.now());

  constructor(parts: SqlBackendParts) {
    super(new SqlQueueConnection(parts.asking), parts.queue, parts.opts as QueueBaseOptions<PostgresConnectionOptions>);
    this.#parts = parts;
  }

  override waitUntilReady(): Promise<void> {
    return this.#parts.asking.ready();
  }

  /** A poll ends sooner than the connection that listens is known to be lost. */
  override get maximumBlockTimeout(): number {
    return 10;
  }

  override setName(): Promise<void> {
    return Promise.resolve();
  }

  /** Waits until there may be a job to take; BullMQ's own asks without a pause while the queue runs all it may. */
  override async waitForJob(blockTimeout: number): Promise<{ member: string; score: number } | null> {
    if (this.#stopped) return NOT_NOW;
    const wait = this.#parts.wakeups.wait('jobs', this.queueName, Math.max(blockTimeout, 0) * 1_000);
    this.#wait = wait;
    this.#look(wait).catch(() => undefined); // then the wait ends by itself
    await wait.over;
    return this.#stopped ? NOT_NOW : null;
  }

  override disconnectBlocking(): Promise<void> {
    this.#stop(true);
    return Promise.resolve();
  }

  override reconnectBlocking(): Promise<void> {
    this.#stop(false);
    return Promise.resolve();
  }

  override disconnect(): Promise<void> {
    this.#stop(true);
    return Promise.resolve();
  }

  override close(force = false): Promise<void> {
    this.#stop(true);
    return super.close(force);
  }

  /** Listens before it looks: BullMQ's own misses what is told between the two. */
  override async readEvents(id: string, blockTimeout: number): Promise<StreamReadRaw> {
    if (this.#stopped) return noEventsForNow();
    const wait = this.#parts.wakeups.wait('events', this.queueName, blockTimeout || 5_000);
    this.#wait = wait;
    try {
      const cursor = id === '$' ? (this.#newest ??= await this.#newestEvent()) : id;
      for (let waited = false; ;) {
        const { events, more } = await this.#eventsAfter(cursor);
        if (events.length > 0) return [['events', events]];
        if (this.#stopped || (waited && !more)) return NO_EVENTS;
        if (more) await sleep(UNSETTLED_PAUSE_MS);
        else await wait.over;
        waited ||= !more;
      }
    } catch (error) {
      if (this.#stopped || (error as Error).message !== 'Connection is closed.') throw error;
      return await noEventsForNow(); // read again soon: BullMQ would sleep for five seconds first
    } finally {
      wait.end();
    }
  }

  /** Looked for again after the usual time: BullMQ would sleep for five seconds, which nothing ends. */
  override async moveStalledJobsToWait(): Promise<string[]> {
    try {
      return await super.moveStalledJobsToWait();
    } catch (error) {
      if (isOutage(error)) return [];
      throw error;
    }
  }

  /** Jobs of a queue that is paused wait, as on Redis. */
  override async getCounts(types: string[], delayedTimestamp?: number): Promise<number[]> {
    const asked = [...new Set([...types, 'waiting', 'paused'])] as never[];
    const counts = await super.getCounts(asked, delayedTimestamp);
    const of = (type: string) => counts[(asked as string[]).indexOf(type)] ?? 0;
    const waiting = of('waiting') + of('paused');
    return types.map((type) => (type === 'wait' || type === 'waiting' ? waiting : type === 'paused' ? 0 : of(type)));
  }

  override async getRanges(types: string[], start = 0, end = -1, asc = false): Promise<[string][]> {
    const ranges = types.map(
      async (type) =>
        (await rangeLikeRedis(this.#parts.asking.ask, this.queueName, [type, start, end, asc])) ??
        (await super.getRanges([type as never], start, end, asc))[0]!,
    );
    return (await Promise.all(ranges)) as [string][];
  }

  /** Postgres trims them by itself. */
  override trimEvents(): Promise<number> {
    return Promise.resolve(0);
  }

  /** There never was one. */
  override removeDeprecatedPriorityKey(): Promise<number> {
    return Promise.resolve(0);
  }

  async #look(wait: Wait): Promise<void> {
    const { rows } = await this.#parts.asking.ask<{ present: boolean; maxed: boolean; next_delay: string | null }>(
      SIGNAL,
      [this.queueName],
    );
    const [{ present, maxed, next_delay: due } = { present: false, maxed: false, next_delay: null }] = rows;
    if (due !== null) wait.shorten(Math.max(Number(due) - Date.now(), 0));
    if (!present) return;
    if (!maxed) return wait.end();
    const since = performance.now();
    const event = this.#parts.wakeups.wait('events', this.queueName, MAXED_EVERY_MS);
    await Promise.race([event.over, wait.over]);
    event.end();
    wait.shorten(Math.max(MAXED_PAUSE_MS - (performance.now() - since), 0));
  }

  #stop(stopped: boolean): void {
    this.#stopped = stopped;
    this.#parts.asking.stop(stopped);
    if (stopped) this.#wait?.end();
  }

  async #newestEvent(): Promise<string> {
    const { rows } = await this.#parts.asking.ask<{ max: string }>(NEWEST_EVENT, [this.queueName]);
    return rows[0]!.max;
  }

  /** @returns `more` when events are there that others, of transactions that have not ended yet, may come before. */
  async #eventsAfter(cursor: string): Promise<{ events: [string, string[]][]; more: boolean }> {
    const values = [this.queueName, cursor, EVENTS_AT_A_TIME, String(this.#settled.newest)];
    const { rows } = await this.#parts.asking.ask<EventRow>(EVENTS, values);
    const newest = rows.at(-1);
    if (newest === undefined) return { events: [], more: false };
    const settled = this.#settled.upTo({
      newest: BigInt(newest.id),
      xmin: BigInt(newest.xmin),
      next: newest.next === null ? undefined : BigInt(newest.next),
    });
    const told = rows.filter(({ id }) => BigInt(id) <= settled);
    const events = told.map(({ id, event, data }): [string, string[]] => [
      String(id),
      ['event', event, ...Object.entries(data ?? {}).flatMap(([name, value]) => [name, asText(value)])],
    ]);
    return { events, more: told.length < rows.length };
  }
}

interface EventRow {
  readonly id: string;
  readonly event: string;
  readonly data: object | null;
  /** See {@link EventsSeen}. */
  readonly xmin: string;
  readonly next: string | null;
}

/** A worker that is told this takes no job. */
const NOT_NOW = { member: '', score: Infinity };

const SIGNAL = `
SELECT
  EXISTS (SELECT 1 FROM bullmq.job WHERE queue = $1 AND state = 'waiting')
    AND NOT EXISTS (SELECT 1 FROM bullmq.meta WHERE queue = $1 AND field = 'paused' AND value = '1') AS present,
  COALESCE((
    SELECT (SELECT count(*) FROM bullmq.job WHERE queue = $1 AND state = 'active') >= value::integer
    FROM bullmq.meta WHERE queue = $1 AND field = 'concurrency'
  ), false) AS maxed,
  (SELECT min(process_at_ms) FROM bullmq.job WHERE queue = $1 AND state = 'delayed') AS next_delay`;

const NEWEST_EVENT = 'SELECT COALESCE(MAX(id), 0)::bigint AS max FROM bullmq.event WHERE queue = $1';

const EVENTS = `
SELECT id, event, data, pg_snapshot_xmin(pg_current_snapshot())::text AS xmin,
  CASE WHEN id > $4 THEN (SELECT pg_current_xact_id())::text END AS next
FROM bullmq.event WHERE queue = $1 AND id > $2 ORDER BY id LIMIT $3`;

function asText(value: unknown): string {
  return typeof value === 'string' ? value : String(value);
}
