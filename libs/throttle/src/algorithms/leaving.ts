import type { Algorithm } from './algorithm.js';

/** What has been taken and has not left yet. */
export interface Taken {
  readonly used: number;
  /** Microseconds until so much has left that the request in question fits. */
  readonly retryUs: number;
  /** Microseconds until the last of it leaves. */
  readonly resetUs: number;
}

/**
 * Exact: each unit is remembered until it leaves. In `sliding-log` that is one window after it was charged, in
 * `concurrency` when its holder gives it back, or when the holder has not been heard of for a window.
 */
export const leaving: Algorithm<Taken> = {
  unit: () => 1,
  told: (used, retryUs, resetUs) => ({ used, retryUs, resetUs }),
  fits: ({ used }, { limit }, cost) => used + cost <= limit,
  charged: ({ used, resetUs }, { windowUs }, cost) => ({
    used: used + cost,
    retryUs: 0,
    resetUs: Math.max(resetUs, windowUs),
  }),
  remaining: ({ used }, { limit }) => Math.max(limit - used, 0),
  retryUs: ({ retryUs }) => retryUs,
  resetUs: ({ resetUs }) => resetUs,
};
