import type { Algorithm } from './algorithm.js';

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
  level(stored, { limit, windowUs }, nowUs) {
    const index = Math.floor(nowUs / windowUs);
    const used = stored !== undefined && stored.index >= index ? stored.count : 0;
    return { used, unit: 1, capacity: limit, endsInUs: (index + 1) * windowUs - nowUs };
  },
  state: (level, { windowUs }, nowUs) => ({ index: Math.floor(nowUs / windowUs), count: level.used }),
};
