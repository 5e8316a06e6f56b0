import type { RedisConnection } from '@roost/redis';
import type { KeyLimits } from '../limits/key-limits.js';
import { keyLimitsSchemaSql } from '../limits/key-limits.sql.js';
import { MemoryKeyLimits } from '../limits/memory-key-limits.js';
import { PostgresKeyLimits } from '../limits/postgres-key-limits.js';
import { RedisKeyLimits } from '../limits/redis-key-limits.js';
import type { QueueStores } from '../queue.stores.js';
import type { QueueStoreName } from '../stores/queue.store.js';

/** Who counts the jobs of a key: whoever keeps them. */
export async function keyLimitsOf(
  store: QueueStoreName,
  { connection, stores }: { connection: RedisConnection; stores: QueueStores },
  now: () => number,
): Promise<KeyLimits> {
  if (store === 'redis') return new RedisKeyLimits(connection.backend.commands);
  if (store === 'memory') return new MemoryKeyLimits(now);
  const pool = await stores.pool()!;
  await pool.query(keyLimitsSchemaSql);
  return new PostgresKeyLimits(pool);
}
