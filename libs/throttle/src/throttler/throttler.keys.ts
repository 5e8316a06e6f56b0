import { defineKey, digest, type Key } from '@roost/redis';

// The constant tag of all rate limits: the throttlers of a request, whatever their keys, are decided by one script.
const hitsKey = defineKey('throttler:{throttler}:{hits}', {
  tag: 'rate',
  ttl: '366d',
  maxBytes: 1_200, // a hundred hits
});

/** Every kind of key that the drop-in for @nestjs/throttler writes. */
export const throttlerKeys = [hitsKey] as const;

/**
 * Where one throttler counts what has this key. Both are in the digest, so that throttlers whose keys are equal, because a
 * `generateKey` ignores the throttler's name, count apart all the same.
 */
export function hitsKeyOf(throttlerName: string, key: string): Key {
  const name = String(throttlerName);
  return hitsKey.of({ throttler: name || 'default', hits: digest(`${name.length}:${name}${key}`) });
}
