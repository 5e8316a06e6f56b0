import { show } from '@roost/redis';
import type { Decision, PolicyDecision } from '../decision.js';
import type { HeaderDialect } from '../throttle.options.js';

/** A header's name and value. */
export type Header = readonly [name: string, value: string];

interface Dialect {
  /** All fields that it may write. */
  readonly fields: readonly string[];
  encode(decision: Decision, nowMs: number | undefined): readonly Header[];
}

/** How decisions are told, one small encoder for each dialect. */
export const headerDialects: Readonly<Record<HeaderDialect, Dialect>> = {
  ratelimit: {
    fields: ['RateLimit-Policy', 'RateLimit'],
    encode: (decision) => [
      ['RateLimit-Policy', rateLimitPolicyOf(decision)],
      ['RateLimit', serviceLimits(decision, 'r', 't')],
    ],
  },
  // https://github.com/ietf-wg-httpapi/ratelimit-headers/pull/166, as of August 2026
  'ratelimit-166': {
    fields: ['RateLimit-Policy', 'RateLimit'],
    encode: (decision) => [
      ['RateLimit-Policy', rateLimitPolicyOf(decision)],
      ['RateLimit', serviceLimits(decision, 'a', 'w')],
    ],
  },
  'draft-7': {
    fields: ['RateLimit-Policy', 'RateLimit'],
    encode: (decision) => {
      const { limit, remaining, reset } = nearestOf(decision);
      return [...namelessPolicies(decision), ['RateLimit', `limit=${limit}, remaining=${remaining}, reset=${reset}`]];
    },
  },
  'draft-6': {
    fields: ['RateLimit-Policy', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'],
    encode: (decision) => [...namelessPolicies(decision), ...triple('RateLimit', nearestOf(decision))],
  },
  'x-ratelimit': {
    fields: ['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset'],
    encode: (decision) => triple('X-RateLimit', nearestOf(decision)),
  },
  'x-ratelimit-epoch': {
    fields: ['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset'],
    encode: (decision, nowMs = Date.now()) => {
      const { limit, remaining, resetMs } = nearestOf(decision);
      return triple('X-RateLimit', { limit, remaining, reset: msToSeconds(nowMs + resetMs) });
    },
  },
};

/** What is wrong with the option `headers`, if anything. */
export function headerProblem(headers: unknown): string | undefined {
  const known = Object.keys(headerDialects);
  if (!Array.isArray(headers) || headers.some((each) => !known.includes(each as string))) {
    return `Expected \`headers\` to be a list of ${known.map((each) => `'${each}'`).join(', ')}, got ${show(headers)}`;
  }
  const writers = new Map<string, HeaderDialect>();
  for (const dialect of headers as HeaderDialect[]) {
    for (const field of headerDialects[dialect].fields) {
      const other = writers.get(field);
      if (other) return `Expected \`headers\` to write each field once; '${other}' and '${dialect}' write ${field}`;
      writers.set(field, dialect);
    }
  }
  return undefined;
}

/** Whole seconds, rounded up: who waits as long as told is never too early. */
export function msToSeconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}

/** `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-11: every limit that applies. The same for all clients. */
function rateLimitPolicyOf({ policies }: Decision): string {
  let field = '';
  for (const { policy, limit, windowMs } of policies) {
    if (field !== '') field += ', ';
    field += `${quoted(policy)};q=${integer(limit)}`;
    field += windowMs === null ? ';qu="concurrent-requests"' : `;w=${integer(msToSeconds(windowMs))}`;
  }
  return field;
}

/**
 * `RateLimit` of the same draft. A refusal names the limits that objected, with the time until they would not, so that
 * `Retry-After` never lies before one of them.
 */
function serviceLimits({ allowed, policies, violated }: Decision, available: string, window: string): string {
  let field = '';
  for (const { policy, remaining, resetAfterMs, retryAfterMs, windowMs, partitionKey } of policies) {
    if (!allowed && !violated.includes(policy)) continue;
    // A place among those at once gets free when somebody leaves: nothing is known of that while there is one.
    const ms = !allowed ? retryAfterMs : windowMs === null ? null : resetAfterMs;
    if (field !== '') field += ', ';
    field += `${quoted(policy)};${available}=${integer(remaining)}`;
    if (ms !== null) field += `;${window}=${integer(msToSeconds(ms))}`;
    if (partitionKey !== undefined) field += `;pk=:${partitionKey}:`;
  }
  return field;
}

/** `RateLimit-Policy` of drafts 6 and 7, where policies have windows and no names. */
function namelessPolicies({ policies }: Decision): readonly Header[] {
  const windowed = policies.flatMap(({ limit, windowMs }) =>
    windowMs === null ? [] : [`${integer(limit)};w=${integer(msToSeconds(windowMs))}`],
  );
  return windowed.length === 0 ? [] : [['RateLimit-Policy', windowed.join(', ')]];
}

/** The limit that dialects tell which have room for one: the nearest, or of those that object the one to wait for longest. */
function nearestOf({ allowed, policies, violated }: Decision) {
  let nearest: PolicyDecision | undefined;
  for (const each of policies) {
    if (!allowed && !violated.includes(each.policy)) continue;
    if (nearest === undefined || (allowed ? each.remaining < nearest.remaining : waitOf(each) > waitOf(nearest))) {
      nearest = each;
    }
  }
  const { limit, remaining, resetAfterMs, retryAfterMs } = nearest!;
  const resetMs = allowed ? resetAfterMs : (retryAfterMs ?? resetAfterMs);
  return { limit: integer(limit), remaining: integer(remaining), reset: integer(msToSeconds(resetMs)), resetMs };
}

function waitOf({ retryAfterMs }: PolicyDecision): number {
  return retryAfterMs ?? Infinity;
}

function triple(prefix: string, told: { limit: number; remaining: number; reset: number }): readonly Header[] {
  return [
    [`${prefix}-Limit`, String(told.limit)],
    [`${prefix}-Remaining`, String(told.remaining)],
    [`${prefix}-Reset`, String(told.reset)],
  ];
}

/** A structured-field string (RFC 9651 §3.3.3); names were checked to be printable ASCII at boot. */
function quoted(name: string): string {
  return /["\\]/.test(name) ? `"${name.replace(/["\\]/g, '\\$&')}"` : `"${name}"`;
}

/** Structured-field integers have at most 15 digits. */
function integer(value: number): number {
  return Math.min(value, 999_999_999_999_999);
}
