import { cacheKeys, cacheManagerKeys } from '@roost/cache';
import { queueKeys } from '@roost/queue';
import { presenceKeys } from '@roost/presence';
import { redisKeys, type KeyDefinition } from '@roost/redis';
import { sessionKeys } from '@roost/session';
import { rolloutKeys, throttleKeys, throttlerKeys } from '@roost/throttle';
import { doctorKey } from '../doctor/doctor.keys.js';

/** Every kind of key that the libs declare, by lib. A lib joins by one line here. */
export const catalogue: Readonly<Record<string, readonly KeyDefinition[]>> = {
  redis: redisKeys,
  cache: [...cacheKeys, ...cacheManagerKeys],
  presence: presenceKeys,
  queue: queueKeys,
  session: sessionKeys,
  throttle: [...throttleKeys, ...throttlerKeys, ...rolloutKeys],
  cli: [doctorKey],
};
