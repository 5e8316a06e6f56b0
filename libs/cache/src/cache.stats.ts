/** What a process has counted since it started. The first five are the report that operators ask for. */
export interface CacheStats {
  /** Of what was asked for, how much was answered without a load: `85%`. */
  readonly cache_hit_rate: string;
  readonly avg_cache_response_ms: number;
  readonly avg_uncached_response_ms: number;
  /** Loads that the last 24 hours did without. */
  readonly daily_api_calls_saved: number;
  /** By the configured cost of a load: `$12.00/day`; null without one. */
  readonly estimated_cost_savings: string | null;
  readonly hits: { readonly near: number; readonly redis: number; readonly stale: number };
  readonly misses: number;
  readonly loads: { readonly ok: number; readonly failed: number };
  /** Loads that an invalidation kept from storing their result. */
  readonly fenced: number;
  /** Answered past Redis, because it was away. */
  readonly bypassed: number;
  /** Returned and not stored, because of their size. */
  readonly oversize: number;
  readonly near: { readonly entries: number; readonly bytes: number; readonly coherent: boolean };
  readonly pendingInvalidations: number;
}
