import type { CacheResult } from '@roost/cache';
import { cacheHeaders } from './cache-headers.js';

describe('cacheHeaders', () => {
  it.each<[Partial<CacheResult<unknown>>, string, string]>([
    [{ source: 'near', ageMs: 1_999, ttlMs: 298_001 }, 'roost; hit; ttl=298', '1'],
    [{ source: 'redis', ageMs: 0, ttlMs: 300_000 }, 'roost; hit; ttl=300', '0'],
    [{ source: 'stale', ageMs: 301_000, ttlMs: -1_000 }, 'roost; hit; ttl=-1', '301'],
    [{ source: 'loader', ageMs: 0, ttlMs: 300_000 }, 'roost; fwd=miss; stored', '0'],
    [{ source: 'loader', ageMs: 0, ttlMs: 0, stored: false }, 'roost; fwd=miss', '0'],
    [{ source: 'redis', ageMs: -3, ttlMs: 300_000 }, 'roost; hit; ttl=300', '0'],
  ])('of %j', (result, status, age) => {
    const whole = { value: 1, loadedAtMs: 0, stored: true, ...result } as CacheResult<unknown>;
    expect(cacheHeaders(whole)).toEqual({ 'Cache-Status': status, Age: age });
  });
});
