import type { PgPoolClient, PgQueryResult } from 'bullmq';
import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { OutageError } from './outage.js';
import { PgliteClient } from './pglite-client.js';
import { runIn, type PgliteLike } from './pglite.like.js';
import type { QueuePool } from './queue-pool.js';

export interface PgliteParts {
  /** Called when it is first needed, and again after it rejected. */
  readonly open: () => Promise<PgliteLike>;
  /** Closes the PGlite where it is nobody else's. */
  readonly owned?: () => Promise<void>;
}

/**
 * A PGlite as what BullMQ takes for a pool of node-postgres. There is one session: where the application uses it as well,
 * the schema of BullMQ is set for each statement alone.
 */
export class PglitePool extends EventEmitter implements QueuePool {
  readonly kind = 'embedded';
  #opening: Promise<PgliteLike> | undefined;
  readonly #unlisten = new Set<() => Promise<void>>();
  #ended = false;

  constructor(private readonly parts: PgliteParts) {
    super();
    this.setMaxListeners(0); // each of BullMQ's connections listens
  }

  get trouble(): string | undefined {
    return this.#ended ? 'closed' : undefined;
  }

  async query<R = unknown>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const db = await this.#db();
    if (this.parts.owned) return runIn<R>(db, text, params);
    return db.transaction(async (tx) => {
      await tx.exec('SET LOCAL search_path TO bullmq');
      return runIn<R>(tx, text, params);
    });
  }

  /** Nothing here can hang: there is no network. */
  queryWithin<R = unknown>(_withinMs: number, text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    return this.query<R>(text, params);
  }

  async connect(): Promise<PgPoolClient> {
    return new PgliteClient(await this.#db(), this);
  }

  onTrouble(): () => void {
    return () => undefined;
  }

  async listen(channel: string, onPayload: (payload: string | undefined) => void): Promise<() => Promise<void>> {
    const db = await this.#db();
    const unlisten = await db.listen(channel, onPayload);
    const end = async () => {
      if (this.#unlisten.delete(end)) await unlisten();
    };
    this.#unlisten.add(end);
    return end;
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    if (this.parts.owned) return this.parts.owned();
    await Promise.allSettled([...this.#unlisten].map((end) => end()));
  }

  async #db(): Promise<PgliteLike> {
    if (this.#ended) throw new OutageError('closed', false);
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    const db = await this.#opening;
    await turn(); // PGlite answers without a turn of the event loop: a loop of queries would stop everything else
    return db;
  }

  async #open(): Promise<PgliteLike> {
    const db = await this.parts.open();
    if (this.parts.owned) await db.exec('SET search_path TO bullmq');
    return db;
  }
}
