import type { FactoryProvider } from '@nestjs/common';
import { RedisConnections } from '@roost/redis';
import { LockConfig } from '../lock.config.js';
import { LockStores } from '../stores/lock.stores.js';
import { MemoryOnceRecords } from './memory-once.records.js';
import { NoOnceRecords, OnceRecords } from './once.records.js';
import { RedisOnceRecords } from './redis-once.records.js';

/** Results are kept where the locks are, so that one step can check the lock and store the result. */
export const onceRecords: FactoryProvider<OnceRecords> = {
  provide: OnceRecords,
  inject: [LockConfig, LockStores, RedisConnections],
  useFactory: ({ connection }: LockConfig, { primary }: LockStores, connections: RedisConnections) => {
    if (primary.name === 'memory') return new MemoryOnceRecords(primary);
    if (primary.name === 'postgres') return new NoOnceRecords();
    return new RedisOnceRecords(connections.get(connection).backend.commands);
  },
};
