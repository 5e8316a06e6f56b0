import type { BackendName } from '@roost/redis';
import type { Passage } from './requests/passages.js';

/** What one limit of a decision said. */
export interface PolicyDecision {
  /** `login`, or `login.user` where a policy has several limits. */
  readonly policy: string;
  /** The limit in force; while this process decides alone, its share of the configured one. */
  readonly limit: number;
  /** null where `limit` is how many at once, in no window: `concurrency`. */
  readonly windowMs: number | null;
  readonly remaining: number;
  /** 0 when this limit did not object, null when waiting does not help. */
  readonly retryAfterMs: number | null;
  /** Until the limit is as if never used. */
  readonly resetAfterMs: number;
  /** Whom it counted, as a keyed digest in base64; only with the option `partitionKeySecret`. */
  readonly partitionKey?: string;
  /** Present while this limit blocks the subject. */
  readonly blocked?: boolean;
}

/** `throttle`: over a limit; `block`: refused without counting, as a blocked subject and by the outage policy `closed`. */
export type DecisionState = 'allow' | 'throttle' | 'block';

/** Whether a request may pass, and why. */
export interface Decision {
  readonly allowed: boolean;
  readonly state: DecisionState;
  /** The limits that objected. */
  readonly violated: readonly string[];
  /** In the order in which they were written; unlimited ones are left out. */
  readonly policies: readonly PolicyDecision[];
  /** The longest wait of those that objected: 0 when none did, null when waiting does not help. */
  readonly retryAfterMs: number | null;
  /** Who decided. */
  readonly backend: BackendName;
}

/** Whether nobody could decide: Redis is lost, and the outage policy `closed` refused. */
export function isUnavailable({ state, policies }: Decision): boolean {
  return state === 'block' && !policies.some(({ blocked }) => blocked);
}

/** What a request carries of the limiter. One property for all: each that is added to a request of Express takes µs. */
export interface Carried {
  decision: Decision | undefined;
  /** How it was charged last, by the guard. */
  passage: Passage | undefined;
}

const carriedKey = Symbol('roost.throttle.carried');

/**
 * The decision that a request was let in or refused by, for request logs: `rl_backend`, `rate_limit_state`. Takes the
 * HTTP request, of WebSocket and RPC the arguments of the handler (`context.getArgs()`), and the error of a refusal.
 */
export function decisionOf(carrier: unknown): Decision | undefined {
  return typeof carrier === 'object' && carrier !== null ? carriedBy(rawOf(carrier))?.decision : undefined;
}

/** Attaches the decision to the request, as Express, Fastify and Node see it, or to what stands for one. */
export function attachDecision(carrier: object, decision: Decision): void {
  const raw = rawOf(carrier);
  (carriedBy(raw) ?? carryOn(raw)).decision = decision;
}

/** What a request carries already. */
export function carriedBy(raw: object): Carried | undefined {
  return (raw as { [carriedKey]?: Carried })[carriedKey];
}

/** Makes a request carry something that does not yet. */
export function carryOn(raw: object): Carried {
  return ((raw as { [carriedKey]?: Carried })[carriedKey] = { decision: undefined, passage: undefined });
}

function rawOf(carrier: object): object {
  return (carrier as { raw?: object }).raw ?? carrier;
}

/** What two decisions about one request say together; where both know a limit, the later one does. */
export function bothOf(earlier: Decision, later: Decision): Decision {
  const violated = [...new Set([...earlier.violated, ...later.violated])];
  const known = new Set(later.policies.map(({ policy }) => policy));
  const waits = [earlier, later].filter(({ allowed }) => !allowed).map(({ retryAfterMs }) => retryAfterMs);
  return {
    allowed: earlier.allowed && later.allowed,
    state: STATES[Math.max(STATES.indexOf(earlier.state), STATES.indexOf(later.state))]!,
    violated,
    policies: [...earlier.policies.filter(({ policy }) => !known.has(policy)), ...later.policies],
    retryAfterMs: waits.includes(null) ? null : Math.max(0, ...(waits as number[])),
    backend: earlier.backend === 'redis' ? 'redis' : later.backend,
  };
}

/** From the best to the worst. */
const STATES: readonly DecisionState[] = ['allow', 'throttle', 'block'];
