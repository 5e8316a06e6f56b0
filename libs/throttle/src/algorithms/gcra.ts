import type { Algorithm, Level, Quota } from './algorithm.js';

/**
 * The generic cell rate algorithm (ITU-T I.371), a token bucket kept as one number: the theoretical arrival time (TAT) in
 * microseconds. A burst of `limit` passes at once; then one request per emission interval. The interval is rounded *up*
 * to whole microseconds, so the rate is never above the limit.
 */
export const gcra: Algorithm<number> = {
  level: (tatUs, quota, nowUs) => levelOf(Math.max((tatUs ?? 0) - nowUs, 0), quota),
  levelOf,
  state: (level, _quota, nowUs) => nowUs + level.used,
};

function levelOf(used: number, { limit, windowUs }: Quota): Level {
  const unit = Math.ceil(windowUs / Math.max(limit, 1));
  return { used, unit, capacity: limit * unit, endsInUs: null };
}
