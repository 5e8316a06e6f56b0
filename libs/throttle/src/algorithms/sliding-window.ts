import type { Algorithm, Quota } from './algorithm.js';

/** What was used in two neighbouring windows. */
export interface TwoWindows {
  readonly previous: number;
  readonly current: number;
  /** Which window since the Unix epoch is the current one: that of now, or a later one when the clock was set back. */
  readonly index: number;
}

/**
 * The weighted counter of two windows: of the previous one counts the share that the window up to now still overlaps, as
 * if its requests had come evenly (https://blog.cloudflare.com/counting-things-a-lot-of-different-things). Time is in
 * whole milliseconds here, and a request takes `windowMs` of `limit * windowMs`, so that nothing is rounded.
 */
export const slidingWindow: Algorithm<TwoWindows> = {
  unit: () => 1,
  told: (previous, current, index) => ({ previous, current, index }),
  fits(windows, quota, cost, nowUs) {
    return weightOf(windows, quota, nowUs) + cost * windowMsOf(quota) <= quota.limit * windowMsOf(quota);
  },
  charged: ({ previous, current, index }, _quota, cost) => ({ previous, current: current + cost, index }),
  remaining(windows, quota, nowUs) {
    const windowMs = windowMsOf(quota);
    return Math.max(Math.floor((quota.limit * windowMs - weightOf(windows, quota, nowUs)) / windowMs), 0);
  },
  retryUs({ previous, current, index }, quota, cost, nowUs) {
    const windowMs = windowMsOf(quota);
    const room = (quota.limit - cost) * windowMs; // how much weight may be left
    const here = room - current * windowMs;
    // The weight falls by `previous` a millisecond in this window, and by `current` a millisecond in the next.
    const fitsAtMs = here >= 0 ? windowMs - Math.floor(here / previous) : 2 * windowMs - Math.floor(room / current);
    return (index * windowMs + fitsAtMs - Math.floor(nowUs / 1_000)) * 1_000;
  },
  resetUs({ previous, current, index }, quota, nowUs) {
    if (previous === 0 && current === 0) return 0;
    return (index + (current > 0 ? 2 : 1)) * quota.windowUs - nowUs;
  },
};

/** What is used of `limit * windowMs`. Rounding time down errs on the strict side. */
function weightOf({ previous, current, index }: TwoWindows, quota: Quota, nowUs: number): number {
  const windowMs = windowMsOf(quota);
  const elapsedMs = Math.max(Math.floor(nowUs / 1_000) - index * windowMs, 0);
  return previous * (windowMs - elapsedMs) + current * windowMs;
}

function windowMsOf({ windowUs }: Quota): number {
  return windowUs / 1_000;
}
