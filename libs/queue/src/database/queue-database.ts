import { InvalidOptionsError } from '@roost/redis';
import type { PgliteLike } from './pglite.like.js';
import type { PgPoolLike, QueuePool } from './queue-pool.js';

export type { QueuePool } from './queue-pool.js';

/**
 * A Postgres. `url`: a server, on connections of Roost's own. `pool`: a server, on connections of the application, whose
 * `search_path` stays as it is; that costs two round trips more for each query. `pglite`: one inside this process that
 * the application has opened, and closes; `forgetful` when it is in memory. `folder`: one inside this process, kept there, and Roost's own.
 */
export type QueueDatabase =
  | { readonly url: string }
  | { readonly pool: PgPoolLike }
  | { readonly pglite: PgliteLike | (() => Promise<PgliteLike>); readonly forgetful?: boolean }
  | { readonly folder: string };

/** Whether it is inside this process. */
export function isEmbedded(database: QueueDatabase): boolean {
  return 'pglite' in database || 'folder' in database;
}

/** Whether it is in memory, so that nothing is in it before somebody uses it. */
export function isForgetful(database: QueueDatabase | undefined): boolean {
  return database !== undefined && 'pglite' in database && database.forgetful === true;
}

/**
 * Makes a pool, which connects when it is first used.
 * @throws InvalidOptionsError when this is not the address of a Postgres.
 * @throws QueueSetupError when the package of its driver is not installed.
 */
export async function openPool(database: QueueDatabase): Promise<QueuePool> {
  if ('folder' in database) {
    const [{ PglitePool }, { FolderPglite }] = await Promise.all([
      import('./pglite-pool.js'),
      import('./folder-pglite.js'),
    ]);
    const folder = new FolderPglite(database.folder);
    return new PglitePool({ open: () => folder.open(), owned: () => folder.close() });
  }
  if ('pglite' in database) {
    const { PglitePool } = await import('./pglite-pool.js');
    const { pglite } = database;
    return new PglitePool({ open: typeof pglite === 'function' ? pglite : () => Promise.resolve(pglite) });
  }
  const { ServerPool } = await import('./server-pool.js');
  if ('pool' in database) return ServerPool.over(database.pool);
  if (!/^postgres(?:ql)?:\/\//.test(database.url)) {
    throw new InvalidOptionsError('QueueModule', ['Expected `database.url` to begin with postgres:// (DATABASE_URL)']);
  }
  return ServerPool.to(database.url);
}
