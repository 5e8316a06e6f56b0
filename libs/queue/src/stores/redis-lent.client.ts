import type { RedisConnection } from '@roost/redis';

/** A client of Redis that was lent to a queue. */
export type LentClient = ReturnType<RedisConnection['jobClient']>;
