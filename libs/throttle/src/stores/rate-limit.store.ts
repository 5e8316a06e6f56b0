import type { Key } from '@roost/redis';
import type { AlgorithmName, Quota } from '../algorithms/algorithm.js';

/** One limit of a decision, and what the request takes of it. */
export interface LimitRequest extends Quota {
  readonly key: Key;
  readonly algorithm: AlgorithmName;
  /** A non-negative integer; 0 takes nothing and writes nothing. */
  readonly cost: number;
}

/** What one limit said. Times are whole milliseconds, rounded up. */
export interface LimitVerdict {
  /** Whether this limit alone would have let the request pass. */
  readonly allowed: boolean;
  /** Requests of cost 1 that still fit, after this one when it was charged. */
  readonly remaining: number;
  /** How long to wait: 0 when this limit allowed, `null` when waiting does not help. */
  readonly retryAfterMs: number | null;
  /** Until the limit is as if never used. */
  readonly resetAfterMs: number;
}

/** What all limits of a request said together: `allowed` only when each one allows. */
export interface StoreVerdict {
  readonly allowed: boolean;
  /** In the order of the request. */
  readonly limits: readonly LimitVerdict[];
}

/** `consume` charges every limit when all allow; `peek` only looks. */
export type DecideMode = 'consume' | 'peek';

/**
 * Counts requests. Implementations agree to the microsecond, and pass `describeRateLimitStore` of
 * `@roost/throttle/testing`. The keys of one call are distinct.
 */
export abstract class RateLimitStore {
  /** Decides all limits of one request as one: either all are charged or none. Atomic among concurrent callers. */
  abstract decide(limits: readonly LimitRequest[], mode: DecideMode): Promise<StoreVerdict>;
  /** Forgets what was counted under these keys. Resolves to how many there were. */
  abstract reset(keys: readonly Key[]): Promise<number>;
}
