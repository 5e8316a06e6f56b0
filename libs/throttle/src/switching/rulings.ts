import type { Decision, DecisionState, PolicyDecision } from '../decision.js';
import { partitionKey } from '../requests/partition-key.js';
import type { ThrottleConfig } from '../throttle.config.js';
import type { Ruling } from './rate-limit.switch.js';

/** What the rulings about one request say together. Calls back for each limit that let it pass uncounted. */
export function decisionFrom(
  rulings: readonly Ruling[],
  { partitionKeySecret }: ThrottleConfig,
  onOpen: (policy: string) => void,
): Decision {
  const violated: string[] = [];
  let retryAfterMs: number | null = 0;
  let backend: Decision['backend'] = 'memory';
  let state: DecisionState = 'allow';
  const policies = rulings.map((ruling) => {
    const { charge, place, verdict } = ruling;
    if (place === 'redis') backend = 'redis';
    if (place === 'open' && verdict.allowed) onOpen(charge.limit.name);
    if (!verdict.allowed) {
      if (state !== 'block') state = place === 'closed' || verdict.blocked ? 'block' : 'throttle';
      violated.push(charge.limit.name);
      retryAfterMs =
        retryAfterMs === null || verdict.retryAfterMs === null ? null : Math.max(retryAfterMs, verdict.retryAfterMs);
    }
    return policyDecision(ruling, partitionKeySecret);
  });
  return { allowed: violated.length === 0, state, violated, policies, retryAfterMs, backend };
}

function policyDecision({ charge, quota, verdict }: Ruling, secret: string | undefined): PolicyDecision {
  const { limit, subject } = charge;
  return {
    policy: limit.name,
    limit: quota.limit,
    windowMs: limit.algorithm === 'concurrency' ? null : quota.windowUs / 1_000,
    remaining: verdict.remaining,
    retryAfterMs: verdict.retryAfterMs,
    resetAfterMs: verdict.resetAfterMs,
    ...(verdict.blocked && { blocked: true }),
    ...(secret !== undefined && { partitionKey: partitionKey(secret, subject) }),
  };
}
