import type { CacheResult } from '@roost/cache';

/** What RFC 9211 and RFC 9111 let an answer say about where it came from, and how old it is. */
export function cacheHeaders({ source, ttlMs, ageMs, stored }: CacheResult<unknown>): Record<string, string> {
  const ttl = Math.floor(ttlMs / 1_000);
  const hit = source === 'stale' ? 'hit; ttl=0; detail=stale' : `hit; ttl=${ttl}`;
  const status = source === 'loader' ? `fwd=miss${stored ? '; stored' : ''}` : hit;
  return { 'Cache-Status': `roost; ${status}`, Age: String(Math.max(0, Math.floor(ageMs / 1_000))) };
}
