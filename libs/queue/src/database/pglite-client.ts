import type { PgPoolClient, PgQueryResult } from 'bullmq';
import { EventEmitter } from 'node:events';
import { runIn, type PgliteLike, type PgliteQueryable } from './pglite.like.js';
import type { QueuePool } from './queue-pool.js';

/** A transaction that goes on until somebody says how it ends. */
interface Held {
  readonly tx: PgliteQueryable;
  readonly finish: (commit: boolean) => void;
  readonly ended: Promise<void>;
}

class RolledBack extends Error {}

/**
 * A connection of its own, as far as there can be one: between BEGIN and COMMIT nobody else's statement runs in the one
 * session that there is. Everybody waits meanwhile.
 */
export class PgliteClient extends EventEmitter implements PgPoolClient {
  #held: Held | undefined;

  constructor(
    private readonly db: PgliteLike,
    private readonly pool: Pick<QueuePool, 'query'>,
  ) {
    super();
  }

  async query<R = unknown>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const [verb] = /\w+/.exec(text) ?? [];
    const isBare = /^\s*(?:BEGIN|COMMIT|ROLLBACK)\s*;?\s*$/i.test(text);
    if (isBare && verb?.toUpperCase() === 'BEGIN') this.#held = await hold(this.db);
    else if (isBare) await this.#finish(verb?.toUpperCase() === 'COMMIT');
    else return this.#held ? runIn<R>(this.#held.tx, text, params) : this.pool.query<R>(text, params);
    return { rows: [], rowCount: null };
  }

  /** What was begun and not ended is rolled back. */
  release(): void {
    this.#finish(false).catch(() => undefined); // it is rolled back, whatever else went wrong
  }

  async #finish(commit: boolean): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    held?.finish(commit);
    await held?.ended;
  }
}

function hold(db: PgliteLike): Promise<Held> {
  let finish!: Held['finish'];
  const decision = new Promise<boolean>((decide) => (finish = decide));
  let ended!: Promise<void>;
  const begun = new Promise<PgliteQueryable>((resolve, reject) => {
    const run = async (tx: PgliteQueryable) => {
      resolve(tx);
      if (!(await decision)) throw new RolledBack();
    };
    ended = db.transaction(run).catch((error: unknown) => {
      if (!(error instanceof RolledBack)) throw error;
    });
    ended.catch(reject);
  });
  return begun.then((tx) => ({ tx, finish, ended }));
}
