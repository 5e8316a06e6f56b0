import type { Algorithm, Level, Quota } from './algorithm.js';

/** How much was used in which window. */
export interface WindowCount {
  readonly index: number;
  readonly count: number;
}

/**
 * Windows aligned to the Unix epoch, each with its own count: cheap and easy to explain, and up to twice the limit passes
 * around a boundary. A stored window that lies in the future (the clock was set back) counts as the present one.
 */
export const fixedWindow: Algorithm<WindowCount> = {
  level(stored, quota, nowUs) {
    const present = stored !== undefined && stored.index >= indexOf(quota, nowUs);
    return levelOf(present ? stored.count : 0, quota, nowUs);
  },
  levelOf,
  state: (level, quota, nowUs) => ({ index: indexOf(quota, nowUs), count: level.used }),
};

function levelOf(used: number, quota: Quota, nowUs: number): Level {
  return { used, unit: 1, capacity: quota.limit, endsInUs: (indexOf(quota, nowUs) + 1) * quota.windowUs - nowUs };
}

function indexOf({ windowUs }: Quota, nowUs: number): number {
  return Math.floor(nowUs / windowUs);
}
