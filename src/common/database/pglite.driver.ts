import type { PGlite, QueryOptions, Results, Transaction } from '@electric-sql/pglite';
import { FolderLock } from '@roost/queue';
import { drizzle } from 'drizzle-orm/pglite';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSetupError, DatabaseUnavailableError } from './database.errors.js';
import type { DatabasePlace, Db, Driver } from './driver.js';
import { migrate, type Migration } from './migrations.js';

/** Postgres inside this process, for one process alone: kept in a folder, or without one in memory. */
export class PgliteDriver implements Driver {
  readonly name = 'pglite';
  readonly db: Db;
  readonly place: DatabasePlace;
  readonly #client: LazyPglite;

  constructor(folder: string | undefined, migrations: readonly Migration[], assertAvailable: () => void) {
    this.#client = new LazyPglite(folder, migrations, assertAvailable);
    this.place = { pglite: () => this.#client.opened(), forgetful: folder === undefined };
    this.db = drizzle(this.#client as unknown as PGlite) as unknown as Db;
  }

  async open(): Promise<void> {
    await this.#client.opened();
  }

  async probe(): Promise<void> {
    await (await this.#client.opened()).query('SELECT 1');
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

/** What Drizzle and locks use of a PGlite, which is opened when it is first needed: it costs a second, and much memory. */
class LazyPglite {
  #lock?: FolderLock;
  #opened?: Promise<PGlite>;

  constructor(
    private readonly folder: string | undefined,
    private readonly migrations: readonly Migration[],
    private readonly assertAvailable: () => void,
  ) {}

  async query<Row>(text: string, values?: unknown[], options?: QueryOptions): Promise<Results<Row>> {
    this.assertAvailable();
    return (await this.opened()).query<Row>(text, values, options);
  }

  async exec(text: string, options?: QueryOptions): Promise<Results[]> {
    this.assertAvailable();
    return (await this.opened()).exec(text, options);
  }

  async transaction<Result>(run: (tx: Transaction) => Promise<Result>): Promise<Result> {
    this.assertAvailable();
    return (await this.opened()).transaction(run);
  }

  /** @throws DatabaseUnavailableError while another process has the folder. */
  opened(): Promise<PGlite> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async close(): Promise<void> {
    const client = await this.#opened?.catch(() => undefined); // it never was open
    if (client && !client.closed) await client.close();
    await this.#lock?.release();
  }

  async #open(): Promise<PGlite> {
    try {
      await this.#reserve();
      const client = await create(this.folder && join(this.folder, 'postgres'));
      await migrate(async (text) => (await client.exec(text)).at(-1)?.rows ?? [], this.migrations);
      return client;
    } catch (error) {
      if (error instanceof DatabaseUnavailableError) throw error;
      const problem = `PGlite does not open ${this.folder ?? 'in memory'}: ${(error as Error).message}`;
      throw new DatabaseSetupError(problem, { cause: error });
    }
  }

  /** Two processes on one folder would destroy it. */
  async #reserve(): Promise<void> {
    if (this.folder === undefined || this.#lock !== undefined) return;
    await mkdir(this.folder, { recursive: true });
    const lock = new FolderLock(join(this.folder, 'postgres.lock'));
    const owner = await lock.take();
    if (owner !== undefined) throw new DatabaseUnavailableError('in_use', true, { cause: inUse(this.folder, owner) });
    this.#lock = lock;
  }
}

/** Loaded only when it is used: beside a server it would be a waste. */
async function create(folder: string | undefined): Promise<PGlite> {
  const [{ PGlite }, { btree_gist }] = await Promise.all([
    import('@electric-sql/pglite'),
    import('@electric-sql/pglite/contrib/btree_gist'),
  ]);
  return PGlite.create({ dataDir: folder ?? 'memory://', extensions: { btree_gist } });
}

function inUse(folder: string, owner: string): Error {
  return new Error(
    `Process ${owner} has the embedded database in ${folder}. Set DATABASE_URL to share a server, or ROOST_DATA_DIR to ` +
      'another folder.',
  );
}
