import type { Key } from '@roost/redis';
import type { AlgorithmName, Quota } from '../algorithms/algorithm.js';

/** One limit of a decision, and what the request takes of it. */
export interface LimitRequest extends Quota {
  readonly key: Key;
  readonly algorithm: AlgorithmName;
  /** A non-negative integer; 0 takes nothing and writes nothing. */
  readonly cost: number;
  /** Names the charge, so that it can be settled. `concurrency` charges nothing without a name. */
  readonly hold?: Hold;
  /** Counts refusals by this limit, and blocks the subject after so many. */
  readonly block?: BlockRule;
  /** Whether a store may take more at once than it is asked for, to spend it later: see `LimitOptions.lease`. */
  readonly lease?: boolean;
}

/** A charge that may be taken back. */
export interface Hold {
  /** Unique among all processes: 1 to 64 printable ASCII characters without space and comma. */
  readonly id: string;
  /** When it is taken back by itself because nobody settled it, in ms; `null`: then it stays charged. */
  readonly expiresMs: number | null;
}

export interface BlockRule {
  /** Every so many refusals block. Refusals while blocked do not count. */
  readonly after: number;
  readonly forMs: number;
  /** How long after the last refusal refusals are remembered. */
  readonly withinMs: number;
  /** Where they are counted. */
  readonly violations: Key;
}

/** What a held charge turned out to cost. */
export interface Settlement extends Quota {
  readonly key: Key;
  readonly algorithm: AlgorithmName;
  readonly holdId: string;
  /** What was held. */
  readonly held: number;
  /** What stays charged: 0 takes all of it back; more than was held is charged even beyond the limit. */
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
  /** Whether the subject is blocked: refused without counting. */
  readonly blocked: boolean;
}

/** What all limits of a request said together: `allowed` only when each one allows. */
export interface StoreVerdict {
  readonly allowed: boolean;
  /** In the order of the request. */
  readonly limits: readonly LimitVerdict[];
  /**
   * Which limits of the request these are, by index, when it is not all of them: a refusal that was known beforehand
   * comes from those that are known to object.
   */
  readonly only?: readonly number[] | undefined;
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
  /** The same at once, when nobody has to be waited for; `undefined`, and nothing charged, otherwise. */
  decideNow(_limits: readonly LimitRequest[], _mode: DecideMode): StoreVerdict | undefined {
    return undefined;
  }

  /**
   * Settles held charges, each once: what is unknown, because it was settled or its window is over, changes nothing.
   * Resolves to how many were known.
   */
  abstract settle(settlements: readonly Settlement[]): Promise<number>;
  /** Prolongs slots of `concurrency` by their windows. Resolves to how many were still held. */
  abstract renew(settlements: readonly Settlement[]): Promise<number>;
  /**
   * Charges `cost` whether or not it fits, or gives back `-cost`, never beyond the full limit. Each limit for itself.
   * Charges beyond the limit are remembered as debt, up to one more full limit. Nothing changes while blocked. Resolves
   * to what a peek of cost 1 would say then.
   */
  abstract adjust(limits: readonly LimitRequest[]): Promise<readonly LimitVerdict[]>;
  /** Refuses what these keys count for so long, and then starts anew. */
  abstract block(keys: readonly Key[], forMs: number): Promise<void>;
  /** Lifts blocks; what is counted otherwise stays. Resolves to how many there were. */
  abstract unblock(keys: readonly Key[]): Promise<number>;
  /** How many refusals are remembered under each of these keys: see {@link BlockRule}. */
  abstract violations(keys: readonly Key[]): Promise<readonly number[]>;
  /** Forgets what was counted under these keys. Resolves to how many there were. */
  abstract reset(keys: readonly Key[]): Promise<number>;
}
