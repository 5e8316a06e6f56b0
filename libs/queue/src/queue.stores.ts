import type { LoggerService } from '@nestjs/common';
import { InvalidOptionsError, type RedisConnection } from '@roost/redis';
import { isEmbedded, isForgetful, openPool, type QueuePool } from './database/queue-database.js';
import type { QueueConfig } from './queue.config.js';
import { QueueDriverMissingError, QueueSetupError } from './queue.errors.js';
import { chooseByConnection, lend, type Lend } from './stores/lent-connection.js';
import { MemoryQueueStore } from './stores/memory.store.js';
import type { QueueStore, QueueStoreName } from './stores/queue.store.js';
import { RedisQueueStore } from './stores/redis.store.js';

/** Where the jobs of one application are kept: each store is opened when the first queue needs it. */
export class QueueStores {
  /** Where queues keep their jobs that say nothing of it. */
  readonly preferred: QueueStoreName;
  readonly #stores = new Map<QueueStoreName, Promise<QueueStore>>();
  readonly #open: QueueStore[] = [];
  readonly #opening: Promise<void>[] = [];
  #pool: Promise<QueuePool> | undefined;

  /** @throws QueueDriverMissingError, InvalidOptionsError */
  constructor(
    private readonly config: QueueConfig,
    private readonly connection: RedisConnection,
    private readonly logger: Pick<LoggerService, 'log' | 'warn'>,
  ) {
    chooseByConnection();
    this.preferred = this.#choose();
    logger.log(`Jobs are kept in ${this.preferred}`, { event: 'queue.backend', backend: this.preferred });
  }

  /** Whether the database is in memory: nothing is in it before somebody uses it, and it is not opened before. */
  get forgetful(): boolean {
    return isForgetful(this.config.database);
  }

  get opened(): readonly QueueStore[] {
    return this.#open;
  }

  /** A store that is being opened. */
  get(name: QueueStoreName = this.preferred): Promise<QueueStore> {
    const actual = this.#actual(name);
    let store = this.#stores.get(actual);
    if (store === undefined) this.#stores.set(actual, (store = this.#opened(actual)));
    return store;
  }

  /** The database, when there is one: opened at the first call. */
  pool(): Promise<QueuePool> | undefined {
    const { database } = this.config;
    if (database === undefined) return undefined;
    return (this.#pool ??= openPool(database));
  }

  /** What BullMQ's classes are given to run on a store. */
  lend(store: QueueStore): Lend {
    return lend(store, this.#prefix);
  }

  /**
   * Waits until the stores serve, or are known to be lost, and looks at what they are like; called at the end of the boot.
   * @throws QueueSetupError and others when waiting would not help.
   */
  async settle(): Promise<void> {
    await Promise.all(this.#opening);
    for (const store of this.#open) await this.#audit(store);
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#open.map((store) => store.close()));
    await this.#pool?.then((pool) => pool.end()).catch(() => {}); // it never was open
  }

  get #prefix(): string {
    return `{${this.connection.keyPrefix}:jobs}`;
  }

  #choose(): QueueStoreName {
    const { backend, database, production } = this.config;
    if (backend !== 'auto') return this.#actual(backend);
    if (this.connection.backend.configured) return 'redis';
    // What the database would forget at the end can as well be kept in memory, which costs nothing to open.
    if (database !== undefined && !this.forgetful) return this.#actual('postgres');
    if (production && database === undefined) throw new QueueDriverMissingError();
    return 'memory';
  }

  /** Postgres inside this process is Postgres to who names it. */
  #actual(name: QueueStoreName): QueueStoreName {
    if (name === 'redis' && !this.connection.backend.configured) {
      throw new InvalidOptionsError('QueueModule', ['`backend` is redis, but there is no `url` (REDIS_URL)']);
    }
    if (name !== 'postgres' && name !== 'embedded') return name;
    const { database } = this.config;
    if (database === undefined) {
      throw new InvalidOptionsError('QueueModule', [`\`backend\` is ${name}, but there is no \`database\``]);
    }
    return isEmbedded(database) ? 'embedded' : 'postgres';
  }

  async #opened(name: QueueStoreName): Promise<QueueStore> {
    const store = await this.#make(name);
    this.#open.push(store);
    const opening = store.open();
    opening.catch(() => {}); // `settle` tells of it
    this.#opening.push(opening);
    return store;
  }

  async #make(name: QueueStoreName): Promise<QueueStore> {
    if (name === 'memory') return new MemoryQueueStore({ clock: this.config.clock });
    if (name === 'redis') return new RedisQueueStore({ connection: this.connection });
    const pool = await this.pool()!;
    if (name === 'embedded') {
      const { EmbeddedQueueStore } = await import('./stores/embedded.store.js');
      return new EmbeddedQueueStore({ pool });
    }
    const { PostgresQueueStore } = await import('./stores/postgres.store.js');
    return new PostgresQueueStore({ pool });
  }

  /** Outside production what would be refused is a warning: a developer's Redis is what it is. */
  async #audit(store: QueueStore): Promise<void> {
    const { production, durability } = this.config;
    for (const { severity, about, message } of await store.audit()) {
      const refused = severity === 'refuse' || (about === 'persistence' && durability === 'aof');
      if (refused && production) throw new QueueSetupError(message);
      this.logger.warn(message, { event: 'queue.audit', about, backend: store.name });
    }
  }
}
