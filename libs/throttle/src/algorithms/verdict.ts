import {
  remainingOf,
  resetUsOf,
  retryUsOf,
  usToMs,
  type Algorithm,
  type AlgorithmName,
  type Level,
} from './algorithm.js';
import { fixedWindow } from './fixed-window.js';
import { gcra } from './gcra.js';
import type { LimitRequest, LimitVerdict } from '../stores/rate-limit.store.js';

/** The algorithms by name, over states of their own. */
export const algorithms: Readonly<Record<AlgorithmName, Algorithm<unknown>>> = {
  gcra,
  'fixed-window': fixedWindow,
} as never; // the others are on their way

/** What a limit says at a level, after the charge if there was one. Both stores speak through it. */
export function verdictOf(level: Level, { limit, cost }: LimitRequest, allowed: boolean): LimitVerdict {
  const retryUs = allowed ? 0 : retryUsOf(level, limit, cost);
  return {
    allowed,
    remaining: remainingOf(level),
    retryAfterMs: retryUs === null ? null : usToMs(retryUs),
    resetAfterMs: usToMs(resetUsOf(level)),
    blocked: false,
  };
}
