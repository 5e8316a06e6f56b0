import type { KeyClaim } from './key-limits.js';

/** A rate as the generic cell rate algorithm (ITU-T I.371) counts it, in whole microseconds. */
export interface RateCell {
  /** What one start costs. */
  readonly intervalUs: number;
  /** How far ahead of now starts may be charged. */
  readonly burstUs: number;
}

/** No rate costs nothing. The interval is rounded up, so that it is never faster than the limit. */
export function cellOf(rate: KeyClaim['rate']): RateCell {
  if (rate === undefined) return { intervalUs: 0, burstUs: 0 };
  const intervalUs = Math.ceil((rate.windowMs * 1_000) / rate.max);
  return { intervalUs, burstUs: intervalUs * rate.max };
}
