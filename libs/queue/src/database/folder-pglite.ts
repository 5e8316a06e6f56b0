import type { PGlite } from '@electric-sql/pglite';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedStoreLockedError, QueueSetupError } from '../queue.errors.js';
import { FolderLock } from './folder-lock.js';

/** A PGlite of Roost's own, kept in a folder, for one process alone: two would destroy it. */
export class FolderPglite {
  #lock: FolderLock | undefined;
  #db: PGlite | undefined;

  constructor(private readonly folder: string) {}

  /**
   * @throws EmbeddedStoreLockedError while another process has the folder.
   * @throws QueueSetupError when it cannot be opened.
   */
  async open(): Promise<PGlite> {
    const { PGlite } = await load();
    await this.#reserve();
    try {
      return (this.#db = await PGlite.create({ dataDir: join(this.folder, 'postgres') }));
    } catch (error) {
      await this.close();
      throw new QueueSetupError(`PGlite does not open ${this.folder}: ${(error as Error).message}`, { cause: error });
    }
  }

  async close(): Promise<void> {
    if (this.#db && !this.#db.closed) await this.#db.close();
    await this.#lock?.release();
    this.#db = this.#lock = undefined;
  }

  async #reserve(): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    const lock = new FolderLock(join(this.folder, 'postgres.lock'));
    const owner = await lock.take();
    if (owner !== undefined) throw new EmbeddedStoreLockedError(this.folder, owner);
    this.#lock = lock;
  }
}

/** Loaded only when it is used: it is large, and need not be installed. */
async function load(): Promise<typeof import('@electric-sql/pglite')> {
  try {
    return await import('@electric-sql/pglite');
  } catch (error) {
    throw new QueueSetupError('an embedded store needs the package `@electric-sql/pglite`', { cause: error });
  }
}
