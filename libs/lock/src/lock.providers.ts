import { Logger, type FactoryProvider } from '@nestjs/common';
import { InvalidOptionsError, RedisConnections } from '@roost/redis';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { PostgresLockStore } from './fencing/postgres-lock.store.js';
import { LockConfig } from './lock.config.js';
import { LOCK_OPTIONS } from './lock.module-definition.js';
import type { LockOptions } from './lock.options.js';
import { LockSpace } from './lock.space.js';
import { LockStores } from './stores/lock.stores.js';
import { MemoryLockStore } from './stores/memory-lock.store.js';
import { RedisLockStore } from './stores/redis-lock.store.js';

/** Whom stores wake, and whose name stands at what it holds. */
export class LockInstance {
  /** 22 characters, never the same twice. */
  readonly name = randomBytes(16).toString('base64url');
  /** For operators who ask who holds a lock. */
  readonly owner = `${hostname()}:${process.pid}`;
}

/** The module's options, checked. */
export const lockConfig: FactoryProvider<LockConfig> = {
  provide: LockConfig,
  inject: [LOCK_OPTIONS],
  useFactory: (options: LockOptions) => new LockConfig(options),
};

/** Redis where it is configured, this process otherwise, and the database that stands in for Redis. */
export const lockStores: FactoryProvider<LockStores> = {
  provide: LockStores,
  inject: [LockConfig, LockInstance, RedisConnections],
  useFactory: (config: LockConfig, instance: LockInstance, connections: RedisConnections) => {
    const connection = connections.get(config.connection);
    const { backend } = connection;
    const { owner } = instance;
    const space = connection.keyPrefix;
    const guard = config.guard && new PostgresLockStore({ database: config.guard, space, owner });
    const wanted = config.backend ?? backend.mode;
    if (wanted === 'redis') backend.require('locks');
    if (wanted !== 'memory' && backend.configured) {
      const { commands, again } = connection.dedicated('locks');
      const { pubsub } = connection;
      const { waiterTtlMs, quarantineMs, splitBrainMs } = config;
      const store = new RedisLockStore({
        commands,
        again,
        pubsub,
        waiterTtlMs,
        quarantineMs,
        splitBrainMs,
        instance: instance.name,
        owner,
      });
      const logger = new Logger('Locks');
      return new LockStores(store, guard, new LockSpace({ config, backend, store, commands, name: space, logger }));
    }
    if (config.production && !config.singleInstance) {
      if (guard !== undefined) return new LockStores(guard);
      throw new InvalidOptionsError('LockModule', [
        'Locks in the memory of one process exclude nobody else. Set `url` (REDIS_URL) or a `guard` (DATABASE_URL), ' +
          'or say `singleInstance: true` when this is the only process',
      ]);
    }
    return new LockStores(new MemoryLockStore(config), guard);
  },
};
