import { defineKey } from '@roost/redis';

/**
 * What `CACHE_MANAGER` stores. Its lifetime is the caller's, and this at most; its text is JSON in JSON, where what
 * `maxValueBytes` allows may take twice as much.
 */
export const cacheManagerKey = defineKey('cache-manager:{namespace}:{key}', { ttl: '366d', maxBytes: 524_288 });

/** Every kind of key of `CACHE_MANAGER`. */
export const cacheManagerKeys = [cacheManagerKey];

const KIND = 'cache-manager:';

/** What the names of all keys of a namespace begin with. */
export function startOfNamespace(namespace: string): string {
  return cacheManagerKey.of({ namespace, key: 'k' }).name.slice(0, -1);
}

/** The same of the namespace that a name is in: parts are encoded, a colon ends them. */
export function startOfName(name: string): string {
  return name.slice(0, name.indexOf(':', KIND.length) + 1);
}

/** The caller's key; undefined when only its hash stands in the name, because it was too long. */
export function keyInName(name: string): string | undefined {
  const part = name.slice(startOfName(name).length);
  return part.startsWith('~') ? undefined : decodeURIComponent(part);
}
