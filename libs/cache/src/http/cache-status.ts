import type { CacheResult } from '../cache.options.js';

/** What `Cache-Status` says of an answer that was made now (RFC 9211). */
export const forwarded = {
  /** Made for another request that came before. */
  collapsed: 'roost; fwd=miss; collapsed',
  stored: 'roost; fwd=miss; stored',
  miss: 'roost; fwd=miss',
  stale: 'roost; fwd=stale',
  requested: 'roost; fwd=request',
  bypass: 'roost; fwd=bypass',
  method: 'roost; fwd=method',
  /** Its last response could not be shared, so nobody waits for this one. */
  uncacheable: 'roost; fwd=bypass; detail=uncacheable',
} as const;

/**
 * What `Cache-Status` says of an answer (RFC 9211): `ttl` in seconds, negative when it is stale; `detail=outage` for what
 * this process has loaded a moment ago, while Redis is away.
 */
export function cacheStatus({
  source,
  ttlMs,
  stored,
}: Pick<CacheResult<unknown>, 'source' | 'ttlMs' | 'stored'>): string {
  if (source === 'loader') return stored ? forwarded.stored : forwarded.miss;
  const hit = `roost; hit; ttl=${Math.floor(ttlMs / 1_000)}`;
  return stored ? hit : `${hit}; detail=outage`;
}
