import type { Algorithm, Quota } from './algorithm.js';

/**
 * The generic cell rate algorithm (ITU-T I.371), a token bucket kept as one number: the theoretical arrival time (TAT) in
 * microseconds. A burst of `limit` passes at once; then one request per emission interval. The interval is rounded *up*
 * to whole microseconds, so the rate is never above the limit. Its snapshot is how far the TAT lies ahead.
 */
export const gcra: Algorithm<number> = {
  unit: intervalUs,
  told: (usedUs) => usedUs,
  fits(usedUs, quota, cost) {
    const interval = intervalUs(quota);
    return usedUs + cost * interval <= quota.limit * interval;
  },
  charged: (usedUs, quota, cost) => usedUs + cost * intervalUs(quota),
  remaining(usedUs, quota) {
    const interval = intervalUs(quota);
    return Math.max(Math.floor((quota.limit * interval - usedUs) / interval), 0);
  },
  retryUs(usedUs, quota, cost) {
    const interval = intervalUs(quota);
    return usedUs + cost * interval - quota.limit * interval;
  },
  resetUs: (usedUs) => usedUs,
};

function intervalUs({ limit, windowUs }: Quota): number {
  return Math.ceil(windowUs / Math.max(limit, 1));
}
