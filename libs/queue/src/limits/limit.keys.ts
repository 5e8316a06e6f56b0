import { defineKey, type Key } from '@roost/redis';

/**
 * Who of a key runs and until when, and how far its rate is charged: one sorted set, so that one script decides about both
 * on a Cluster as well. Lives as long as the longest lease or window.
 */
const limitKey = defineKey('queue:limit:{queue}:{key}', { ttl: '30d', maxBytes: 10_000 });

/** Every kind of key the limits write. */
export const limitKeys = [limitKey] as const;

/** Its name is bounded and without special characters whatever a job's key is, so Postgres keeps it as well. */
export function limitKeyOf({ queue, key }: { readonly queue: string; readonly key: string }): Key {
  return limitKey.of({ queue, key });
}
