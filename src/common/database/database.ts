import { Logger } from '@nestjs/common';
import type { HealthReport } from '@roost/redis';
import type { Config } from '../config/index.js';
import { Availability } from './availability.js';
import type { DatabasePlace, Db, Driver } from './driver.js';
import type { Migration } from './migrations.js';
import { outageOf } from './outages.js';
import { PgliteDriver } from './pglite.driver.js';
import { PostgresDriver } from './postgres.driver.js';

/** What of the settings names a database. */
export type DatabaseSettings = Pick<Config, 'DATABASE_URL' | 'NODE_ENV' | 'ROOST_DATA_DIR'>;

const IN_MEMORY = 'memory:';

/**
 * The database of the service. What is asked of `db` is answered, or fails as unavailable, within about two seconds;
 * while the database is lost it fails at once.
 */
export class Database {
  readonly db: Db;
  readonly #driver: Driver;
  readonly #availability: Availability;
  /** One in memory is opened when it is first needed: nothing can be wrong with it, and most tests do without. */
  readonly #lazy: boolean;
  #isOpen = false;

  /** @param migrations of all modules, in the order in which they are applied. */
  constructor(settings: DatabaseSettings, migrations: readonly Migration[]) {
    const { url, folder } = placeOf(settings);
    this.#lazy = url === undefined && folder === undefined;
    this.#availability = new Availability(() => this.#probe());
    this.#driver =
      url === undefined
        ? new PgliteDriver(folder, migrations, () => this.#availability.assert())
        : new PostgresDriver(url, migrations, this.#availability);
    this.db = this.#driver.db;
    if (url === undefined && settings.NODE_ENV === 'production') warnOfProduction();
  }

  /**
   * Connects and brings the schema up to date. A database that cannot be reached is waited for in the background.
   * @throws DatabaseSetupError when waiting would not help.
   */
  async open(): Promise<void> {
    if (this.#lazy) return;
    try {
      await this.#driver.open();
      this.#isOpen = true;
    } catch (error) {
      if (outageOf(error) === undefined) throw error;
      this.#availability.learn(error);
    }
  }

  /** The same database for a library that brings its own connections, or shares the one that there is in this process. */
  get place(): DatabasePlace {
    return this.#driver.place;
  }

  /** Lost is degraded and not down: what needs no database goes on. */
  report(): HealthReport {
    const { reason, since } = this.#availability;
    const details = { backend: this.#driver.name, since: since.toISOString() };
    return reason === undefined ? { status: 'up', ...details } : { status: 'degraded', ...details, reason };
  }

  async close(): Promise<void> {
    this.#availability.stop();
    await this.#driver.close();
  }

  async #probe(): Promise<void> {
    if (!this.#isOpen) await this.#driver.open();
    this.#isOpen = true;
    await this.#driver.probe();
  }
}

/** A server, a folder, or neither: memory. */
function placeOf({ DATABASE_URL: url, NODE_ENV, ROOST_DATA_DIR }: DatabaseSettings): { url?: string; folder?: string } {
  if (url === IN_MEMORY) return {};
  if (url !== undefined) return { url };
  return { folder: ROOST_DATA_DIR ?? (NODE_ENV === 'test' ? undefined : '.data') };
}

function warnOfProduction(): void {
  new Logger('Database').warn(
    'PRODUCTION: DATABASE_URL is not set. The database inside this process serves it alone: other processes do not see its data.',
  );
}
