import type { CacheResult } from '../cache.options.js';

/** What `Cache-Status` says (RFC 9211). `fwd=miss; collapsed`: answered by the response of a request that came before. */
export const cacheStatus = {
  /** A stale response has a negative `ttl`. */
  hit: ({ ttlMs, ageMs }: Pick<CacheResult<unknown>, 'ttlMs' | 'ageMs'>, wholeTtlMs: number | undefined): string => {
    if (ttlMs > 0) return `roost; hit; ttl=${Math.floor(ttlMs / 1_000)}`;
    const over = wholeTtlMs === undefined ? 0 : Math.max(0, ageMs - wholeTtlMs);
    return `roost; hit; ttl=${-Math.ceil(over / 1_000)}`;
  },
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
