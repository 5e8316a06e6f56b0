import type { Algorithm } from './algorithm.js';

/**
 * The generic cell rate algorithm (ITU-T I.371), a token bucket kept as one number: the theoretical arrival time (TAT) in
 * microseconds. A burst of `limit` passes at once; then one request per emission interval. The interval is rounded *up*
 * to whole microseconds, so the rate is never above the limit.
 */
export const gcra: Algorithm<number> = {
  level(tatUs, { limit, windowUs }, nowUs) {
    const unit = Math.ceil(windowUs / Math.max(limit, 1));
    return { used: Math.max((tatUs ?? 0) - nowUs, 0), unit, capacity: limit * unit, endsInUs: null };
  },
  state: (level, _quota, nowUs) => nowUs + level.used,
};
