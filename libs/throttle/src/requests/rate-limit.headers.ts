import type { Decision, PolicyDecision } from '../decision.js';

/** Whole seconds, rounded up: who waits as long as told is never too early. */
export function msToSeconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}

/** `Retry-After` of a refusal; undefined when waiting does not help. */
export function retryAfterOf({ retryAfterMs }: Decision): string | undefined {
  return retryAfterMs === null ? undefined : String(Math.max(msToSeconds(retryAfterMs), 1));
}

/** `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-11: every limit that applies. */
export function rateLimitPolicyOf({ policies }: Decision): string {
  let field = '';
  for (const { policy, limit, windowMs } of policies) {
    if (field !== '') field += ', ';
    field += `${quoted(policy)};q=${integer(limit)};w=${integer(msToSeconds(windowMs))}`;
  }
  return field;
}

/**
 * `RateLimit` of the same draft. A refusal names the limits that objected, with `t` the time until they would not, so
 * that `Retry-After` never lies before a `t`.
 */
export function rateLimitOf({ allowed, policies, violated }: Decision): string {
  let field = '';
  for (const { policy, remaining, resetAfterMs, retryAfterMs } of policies) {
    if (!allowed && !violated.includes(policy)) continue;
    const ms = allowed ? resetAfterMs : retryAfterMs;
    if (field !== '') field += ', ';
    field += `${quoted(policy)};r=${integer(remaining)}`;
    if (ms !== null) field += `;t=${integer(msToSeconds(ms))}`;
  }
  return field;
}

/** The limit that the older `X-RateLimit-*` headers tell, which have room for one: the one that objects or is nearest. */
export function closestOf({ policies, violated }: Decision): PolicyDecision | undefined {
  const candidates = violated.length > 0 ? policies.filter(({ policy }) => violated.includes(policy)) : policies;
  return candidates.reduce<PolicyDecision | undefined>(
    (closest, each) => (closest !== undefined && closest.remaining <= each.remaining ? closest : each),
    undefined,
  );
}

/** A structured-field string (RFC 9651 §3.3.3); names were checked to be printable ASCII at boot. */
function quoted(name: string): string {
  return /["\\]/.test(name) ? `"${name.replace(/["\\]/g, '\\$&')}"` : `"${name}"`;
}

/** Structured-field integers have at most 15 digits. */
function integer(value: number): number {
  return Math.min(value, 999_999_999_999_999);
}
