import { assertSchemaCompatibility, runMigrations, type PgPoolClient } from 'bullmq';
import { OutageError, outageOf } from '../database/outage.js';
import type { QueuePool } from '../database/queue-pool.js';
import { EmbeddedStoreLockedError, QueueSetupError } from '../queue.errors.js';

const RETRY_EVERY_MS = 250;
/** After a mistake, which only an administrator can mend. */
const RETRY_SETUP_EVERY_MS = 5_000;

const INSUFFICIENT_PRIVILEGE = '42501';
const GRANTS =
  'GRANT CREATE ON DATABASE to this user; or start once as one who has it, and then GRANT USAGE, CREATE ON SCHEMA bullmq, ' +
  'SELECT, INSERT, UPDATE, DELETE ON ALL TABLES and USAGE ON ALL SEQUENCES IN SCHEMA bullmq to this one.';

/** Whether the database has what queues need. It is set up when it is there, at boot or later. */
export class SqlReadiness {
  #trouble: string | undefined = 'connecting';
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #listeners = new Set<() => void>();

  /** @param prepare what is done after the schema was made; rejects when it is to be done again. */
  constructor(
    private readonly pool: QueuePool,
    private readonly prepare: () => Promise<void>,
  ) {}

  /** One word for why queues cannot be used; undefined when they can. */
  get trouble(): string | undefined {
    return this.#closed ? 'closed' : (this.#trouble ?? this.pool.trouble);
  }

  /** Sets up the database, or goes on trying in the background while it is not there. @throws what waiting would not mend. */
  async open(): Promise<void> {
    try {
      await this.#setUp();
    } catch (error) {
      if (outageOf(error) === undefined) throw error;
      this.#again(RETRY_EVERY_MS);
    }
  }

  /** Hears when the database was set up. */
  onReady(listener: () => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #setUp(): Promise<void> {
    try {
      await migrate(this.pool);
      await this.prepare();
    } catch (error) {
      this.#trouble = outageOf(error) ?? 'setup';
      throw error;
    }
    if (this.#closed) return;
    this.#trouble = undefined;
    for (const listener of this.#listeners) listener();
  }

  #again(ms: number): void {
    if (this.#closed) return;
    const failed = (error: unknown) =>
      this.#again(outageOf(error) === undefined ? RETRY_SETUP_EVERY_MS : RETRY_EVERY_MS);
    this.#timer = setTimeout(() => void this.#setUp().catch(failed), ms);
    this.#timer.unref();
  }
}

/** @throws OutageError, QueueSetupError, EmbeddedStoreLockedError */
async function migrate(pool: QueuePool): Promise<void> {
  try {
    const client = await pool.connect();
    await migrateBy(client).then(
      () => client.release(),
      (error: unknown) => {
        client.release(true);
        throw error;
      },
    );
  } catch (error) {
    if (error instanceof EmbeddedStoreLockedError || error instanceof QueueSetupError) throw error;
    const reason = outageOf(error);
    if (reason !== undefined) throw new OutageError(reason, true, { cause: error });
    const { message, hint } = error as Error & { hint?: string };
    throw new QueueSetupError(hint ? `${message} (${hint})` : message, { cause: error });
  }
}

async function migrateBy(client: PgPoolClient): Promise<void> {
  try {
    await runMigrations(client);
  } catch (error) {
    if ((error as { code?: string }).code !== INSUFFICIENT_PRIVILEGE) throw error;
    // An administrator may have made it for a user who may not.
    await assertSchemaCompatibility(client).catch((failure: Error) => {
      throw outageOf(failure) === undefined
        ? new QueueSetupError(`${failure.message}. ${GRANTS}`, { cause: error })
        : failure;
    });
  }
}
