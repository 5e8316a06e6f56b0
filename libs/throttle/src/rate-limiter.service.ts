import { Injectable } from '@nestjs/common';
import { channel } from 'node:diagnostics_channel';
import type { Decision, DecisionState } from './decision.js';
import { isCost, type Limit } from './policies/limit.js';
import { RateLimitPolicies } from './policies/rate-limit.policies.js';
import { RateLimitResets } from './switching/rate-limit.resets.js';
import type { DecideMode } from './stores/rate-limit.store.js';
import { partitionKey } from './requests/partition-key.js';
import { RateLimitSubjects } from './requests/rate-limit.subjects.js';
import { RateLimitSwitch, type Charge, type Ruling } from './switching/rate-limit.switch.js';
import { ThrottleConfig } from './throttle.config.js';
import { InvalidCostError } from './throttle.errors.js';
import { ThrottleMetrics } from './throttle.metrics.js';
import type { PolicyRef } from './throttle.options.js';

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

/** Published on `roost:throttle:decision` after each decision that was charged. It names no subject. */
export interface DecisionMessage {
  readonly decision: Decision;
  readonly durationMs: number;
}

const decisions = channel('roost:throttle:decision');

/**
 * Counts requests by policy and subject, outside of HTTP as the guard does inside.
 * @example
 * const { allowed, retryAfterMs } = await limiter.consume('login', { user: userId, address: ip });
 */
@Injectable()
export class RateLimiter {
  constructor(
    private readonly switched: RateLimitSwitch,
    private readonly policies: RateLimitPolicies,
    private readonly subjects: RateLimitSubjects,
    private readonly resets: RateLimitResets,
    private readonly metrics: ThrottleMetrics,
    private readonly config: ThrottleConfig,
  ) {}

  /** Charges every limit of the policies when all allow, and none otherwise. A refusal is an answer, not an error. */
  consume(
    policy: PolicyRef | readonly PolicyRef[],
    subject: Subject,
    options: ConsumeOptions = NOTHING_SPECIAL,
  ): Promise<Decision> {
    return this.#decideAbout(policy, subject, options, 'consume');
  }

  /** Says what `consume` would say, and charges nothing. */
  peek(
    policy: PolicyRef | readonly PolicyRef[],
    subject: Subject,
    options: ConsumeOptions = NOTHING_SPECIAL,
  ): Promise<Decision> {
    return this.#decideAbout(policy, subject, options, 'peek');
  }

  /**
   * Forgets what was counted for a subject, by one policy or by all of the module's options and decorators: in this
   * process, and in Redis unless it is lost. Resolves to how many counts there were.
   */
  async reset(subject: string): Promise<number>;
  async reset(policy: PolicyRef | readonly PolicyRef[], subject: Subject): Promise<number>;
  async reset(first: PolicyRef | readonly PolicyRef[], second?: Subject): Promise<number> {
    const everything = second === undefined;
    const limits = everything ? this.policies.all : this.policies.called(first);
    const subject = everything ? (first as string) : second;
    return this.resets.reset(limits, (limit) => nameFor(limit, subject) as string);
  }

  /** Decides about charges that the guard has put together; at once where nobody has to be waited for. @internal */
  decide(charges: readonly Charge[], mode: DecideMode): Decision | Promise<Decision> {
    const startedAt = decisions.hasSubscribers || this.metrics.isTimed() ? performance.now() : undefined;
    const ruled = this.switched.decide(charges, mode);
    if (!('then' in ruled)) return this.#decisionOf(ruled, mode, this.metrics.tookAtOnce(startedAt));
    const askedAt = startedAt ?? performance.now();
    return ruled.then((rulings) => this.#decisionOf(rulings, mode, performance.now() - askedAt));
  }

  // Not an async function, and none below it: each would cost as much as a decision in memory.
  #decideAbout(
    policy: PolicyRef | readonly PolicyRef[],
    subject: Subject,
    options: ConsumeOptions,
    mode: DecideMode,
  ): Promise<Decision> {
    try {
      return Promise.resolve(this.decide(this.#charges(this.policies.called(policy), subject, options), mode));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  #charges(limits: readonly Limit[], subject: Subject, { cost, tier }: ConsumeOptions): Charge[] {
    const charges: Charge[] = [];
    for (const limit of limits) {
      const quota = limit.quota === 'byTier' ? this.config.tiers!.quotaOf(tier) : limit.quota;
      const taken = cost === undefined ? usualCostOf(limit) : cost;
      if (!isCost(taken)) throw new InvalidCostError(taken);
      const counted = this.subjects.named(limit, nameFor(limit, subject));
      if (quota === 'unlimited') continue;
      charges.push({ limit, quota, subject: counted.digest, key: counted.keyIn(limit.keys), cost: taken });
    }
    return charges;
  }

  #decisionOf(rulings: readonly Ruling[], mode: DecideMode, durationMs: number): Decision {
    if (rulings.length === 0) return { ...NOTHING_TO_COUNT, backend: this.switched.current };
    const decision = toDecision(rulings, this.config, (policy) => this.metrics.failedOpen(policy));
    if (mode === 'peek') return decision;
    this.metrics.took(durationMs / 1_000, decision.backend);
    const { allowed, state, violated, policies, backend } = decision;
    if (allowed) for (const { policy } of policies) this.metrics.decided(policy, state, backend);
    else for (const policy of violated) this.metrics.decided(policy, state, backend);
    if (decisions.hasSubscribers) decisions.publish({ decision, durationMs } satisfies DecisionMessage);
    return decision;
  }
}

const NOTHING_SPECIAL: ConsumeOptions = {};
const NOTHING_TO_COUNT = { allowed: true, state: 'allow', violated: [], policies: [], retryAfterMs: 0 } as const;

/** A cost that is computed from a request has no answer outside of one. */
function usualCostOf({ cost }: Limit): number {
  return typeof cost === 'number' ? cost : 1;
}

function nameFor({ part }: Limit, subject: Subject): unknown {
  if (typeof subject !== 'object' || subject === null) return subject;
  return Object.hasOwn(subject, part) ? subject[part] : undefined;
}

function toDecision(
  rulings: readonly Ruling[],
  { partitionKeySecret }: ThrottleConfig,
  onOpen: (policy: string) => void,
): Decision {
  const violated: string[] = [];
  let retryAfterMs: number | null = 0;
  let backend: Decision['backend'] = 'memory';
  let state: DecisionState = 'allow';
  const policies = rulings.map(({ charge: { limit, subject }, quota, place, verdict }) => {
    if (place === 'redis') backend = 'redis';
    if (place === 'open') onOpen(limit.name);
    if (!verdict.allowed) {
      state = place === 'closed' ? 'block' : 'throttle';
      violated.push(limit.name);
      retryAfterMs =
        retryAfterMs === null || verdict.retryAfterMs === null ? null : Math.max(retryAfterMs, verdict.retryAfterMs);
    }
    return {
      policy: limit.name,
      limit: quota.limit,
      windowMs: limit.algorithm === 'concurrency' ? null : quota.windowUs / 1_000,
      remaining: verdict.remaining,
      retryAfterMs: verdict.retryAfterMs,
      resetAfterMs: verdict.resetAfterMs,
      ...(partitionKeySecret !== undefined && { partitionKey: partitionKey(partitionKeySecret, subject) }),
    };
  });
  return { allowed: violated.length === 0, state, violated, policies, retryAfterMs, backend };
}
