import type { LimitVerdict } from '../stores/rate-limit.store.js';
import { neverFits, usToMs, type Algorithm, type AlgorithmName, type Quota } from './algorithm.js';
import { gcra } from './gcra.js';
import { leaving } from './leaving.js';
import { slidingWindow } from './sliding-window.js';
import { windows } from './windows.js';

/** The algorithms by name, over snapshots of their own. */
export const algorithms: Readonly<Record<AlgorithmName, Algorithm<unknown>>> = {
  gcra,
  'fixed-window': windows,
  calendar: windows,
  'sliding-window': slidingWindow,
  'sliding-log': leaving,
  concurrency: leaving,
};

/** What a limit says at a snapshot, after the charge if there was one. All stores speak through it. */
export function verdictOf<Snapshot>(
  algorithm: Algorithm<Snapshot>,
  snapshot: Snapshot,
  quota: Quota,
  cost: number,
  nowUs: number,
  allowed: boolean,
): LimitVerdict {
  return {
    allowed,
    remaining: algorithm.remaining(snapshot, quota, nowUs),
    retryAfterMs: allowed ? 0 : neverFits(quota, cost) ? null : usToMs(algorithm.retryUs(snapshot, quota, cost, nowUs)),
    resetAfterMs: usToMs(algorithm.resetUs(snapshot, quota, nowUs)),
    blocked: false,
  };
}

/** What a limit says while its subject is blocked. */
export function blockedVerdict(quota: Quota, cost: number, blockedUs: number): LimitVerdict {
  const endsInMs = usToMs(blockedUs);
  const retryAfterMs = neverFits(quota, cost) ? null : endsInMs;
  return { allowed: false, remaining: 0, retryAfterMs, resetAfterMs: endsInMs, blocked: true };
}
