import { Metrics } from '@roost/redis';
import { LockConfig } from '../lock.config.js';
import { LockMetrics } from '../lock.metrics.js';
import type { LockOptions } from '../lock.options.js';
import { LockRoom } from '../lock.room.js';
import { LockStores } from '../stores/lock.stores.js';
import { MemoryLockStore } from '../stores/memory-lock.store.js';

/** One process of those that share a store; alone with its own when none is given. */
export function memoryRoom(options: LockOptions = {}, store: MemoryLockStore = new MemoryLockStore()) {
  const bugs: unknown[] = [];
  const logger = { warn: (bug: unknown) => void bugs.push(bug), error: (bug: unknown) => void bugs.push(bug) };
  const room = new LockRoom({
    config: new LockConfig(options),
    stores: new LockStores(store),
    metrics: new LockMetrics(new Metrics()),
    logger,
    instance: `process-${Math.random().toString(36).slice(2)}`,
    space: 'test',
  });
  return { room, locks: room.service, store, bugs };
}
