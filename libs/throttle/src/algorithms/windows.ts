import type { Algorithm } from './algorithm.js';

/** How much was used in the present window, and when that is over. */
export interface WindowUse {
  readonly used: number;
  readonly endsInUs: number;
}

/**
 * Windows one after the other, each with its own count: cheap and easy to explain, and up to twice the limit passes
 * around a boundary. Those of `fixed-window` are aligned to the Unix epoch, those of `calendar` to days or months. A
 * stored window that lies in the future (the clock was set back) counts as the present one.
 */
export const windows: Algorithm<WindowUse> = {
  unit: () => 1,
  told: (used, endsInUs) => ({ used, endsInUs }),
  fits: ({ used }, { limit }, cost) => used + cost <= limit,
  charged: ({ used, endsInUs }, _quota, cost) => ({ used: used + cost, endsInUs }),
  remaining: ({ used }, { limit }) => Math.max(limit - used, 0),
  retryUs: ({ endsInUs }) => endsInUs,
  resetUs: ({ used, endsInUs }) => (used === 0 ? 0 : endsInUs),
};

/** Which of the windows since the Unix epoch, and when it ends. */
export function fixedWindowAt(windowUs: number, nowUs: number): { readonly index: number; readonly endsUs: number } {
  const index = Math.floor(nowUs / windowUs);
  return { index, endsUs: (index + 1) * windowUs };
}
