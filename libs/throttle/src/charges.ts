import { InvalidOptionsError, show } from '@roost/redis';
import { isCost, type Limit } from './policies/limit.js';
import type { RateLimitSubjects } from './requests/rate-limit.subjects.js';
import type { Charge } from './switching/rate-limit.switch.js';
import type { ThrottleConfig } from './throttle.config.js';
import { InvalidCostError } from './throttle.errors.js';

/**
 * Who is counted: one name for all limits, or one for each limit of a policy that counts several things, by the limit's
 * own name (its index when it has none).
 */
export type Subject = string | Readonly<Record<string, string>>;

export interface ConsumeOptions {
  /** What the request takes: a non-negative integer. @default the limit's, else 1 */
  readonly cost?: number;
  /** The tier of the subject, for limits `'byTier'`. @default the strictest */
  readonly tier?: string;
}

/** Puts together what calls from outside of requests charge. */
export class Charges {
  constructor(
    private readonly subjects: RateLimitSubjects,
    private readonly config: ThrottleConfig,
  ) {}

  /** What a call takes of each limit; nothing of those that are unlimited for its tier. */
  of(limits: readonly Limit[], subject: Subject, options: ConsumeOptions): Charge[] {
    const { cost, tier } = checked(options);
    const charges: Charge[] = [];
    for (const limit of limits) {
      const quota = limit.quota === 'byTier' ? this.config.tiers!.quotaOf(tier) : limit.quota;
      const taken = costOf(cost === undefined ? usualCostOf(limit) : cost);
      const counted = this.subjects.named(limit, nameFor(limit, subject));
      if (quota === 'unlimited') continue;
      charges.push({ limit, quota, subject: counted.digest, key: counted.keyIn(limit.keys), cost: taken });
    }
    return charges;
  }
}

/** The name that a limit counts; whatever is not a string there is refused later, by the limit's name. */
export function nameFor({ part }: Limit, subject: Subject | undefined): string {
  if (typeof subject !== 'object' || subject === null) return subject as string;
  return (Object.hasOwn(subject, part) ? subject[part] : undefined) as string;
}

/** @throws InvalidOptionsError for what is no object, such as a cost in its place, which would not be charged. */
export function checked<Options extends ConsumeOptions>(options: Options): Options {
  if (typeof options === 'object' && options !== null) return options;
  throw new InvalidOptionsError('RateLimiter', [`Expected options such as { cost }, got ${show(options)}`]);
}

/** @throws InvalidCostError for what is no cost. */
export function costOf(cost: unknown): number {
  if (!isCost(cost)) throw new InvalidCostError(cost);
  return cost;
}

/** A cost that is computed from a request has no answer outside of one. */
function usualCostOf({ cost }: Limit): number {
  return typeof cost === 'number' ? cost : 1;
}
