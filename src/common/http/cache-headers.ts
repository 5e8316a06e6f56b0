import { cacheStatus, type CacheResult } from '@roost/cache';

/** What RFC 9211 and RFC 9111 let an answer say about where it came from, and how old it is. */
export function cacheHeaders(result: CacheResult<unknown>): Record<string, string> {
  return { 'Cache-Status': cacheStatus(result), Age: String(Math.max(0, Math.floor(result.ageMs / 1_000))) };
}
