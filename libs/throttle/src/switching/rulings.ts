import type { Decision, DecisionState, PolicyDecision } from '../decision.js';
import { partitionKey } from '../requests/partition-key.js';
import type { ThrottleConfig } from '../throttle.config.js';
import type { Ruling } from './rate-limit.switch.js';

/** Who is told of limits that let a request pass uncounted. */
export interface OpenObserver {
  failedOpen(policy: string): void;
}

/** What the rulings about one request say together. Every decision runs through it: it makes no functions and no copies. */
export function decisionFrom(
  rulings: readonly Ruling[],
  { partitionKeySecret }: ThrottleConfig,
  observer?: OpenObserver,
): Decision {
  const violated: string[] = [];
  const policies: PolicyDecision[] = [];
  let retryAfterMs: number | null = 0;
  let backend: Decision['backend'] = 'memory';
  let state: DecisionState = 'allow';
  for (const ruling of rulings) {
    const { charge, place, verdict } = ruling;
    if (place === 'redis') backend = 'redis';
    else if (place === 'open' && verdict.allowed) observer?.failedOpen(charge.limit.name);
    if (!verdict.allowed) {
      if (state !== 'block') state = place === 'closed' || verdict.blocked ? 'block' : 'throttle';
      violated.push(charge.limit.name);
      retryAfterMs =
        retryAfterMs === null || verdict.retryAfterMs === null ? null : Math.max(retryAfterMs, verdict.retryAfterMs);
    }
    policies.push(policyDecision(ruling, partitionKeySecret));
  }
  return { allowed: violated.length === 0, state, violated, policies, retryAfterMs, backend };
}

function policyDecision({ charge, quota, verdict }: Ruling, secret: string | undefined): PolicyDecision {
  const { limit, subject } = charge;
  const decision: Mutable<PolicyDecision> = {
    policy: limit.name,
    limit: quota.limit,
    windowMs: limit.algorithm === 'concurrency' ? null : quota.windowUs / 1_000,
    remaining: verdict.remaining,
    retryAfterMs: verdict.retryAfterMs,
    resetAfterMs: verdict.resetAfterMs,
  };
  if (verdict.blocked) decision.blocked = true;
  if (secret !== undefined) decision.partitionKey = partitionKey(secret, subject);
  return decision;
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };
