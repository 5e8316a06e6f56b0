import type { CacheOptions } from '@roost/cache';

/** How the values of a key are kept. */
export interface KeyManner extends CacheOptions {
  readonly tags: readonly string[];
  /** The tags are known to the load only. */
  readonly dynamic?: true;
}

export const TAGS = ['x', 'y'] as const;

/** The keys of a run: few, so that everything meets. */
export const KEYS: Readonly<Record<string, KeyManner>> = {
  plain: { tags: [] },
  x: { tags: ['x'] },
  xy: { tags: ['x', 'y'] },
  'named, y': { tags: ['y'], dynamic: true },
  'named {x}': { tags: ['x'], dynamic: true },
  stale: { tags: ['y'], ttl: 40, grace: '1m', softTimeout: 0, jitter: 0 },
  eager: { tags: ['x'], ttl: 250, eager: 0.2, grace: '1m', jitter: 0 },
};

export const NAMES = Object.keys(KEYS);

/** The options of a read or write. */
export function optionsOf(key: string, { forSet = false } = {}): CacheOptions {
  const { dynamic, tags, ...options } = KEYS[key]!;
  return { ttl: '1m', ...options, tags: dynamic && !forSet ? [] : tags };
}
