import { isUnavailable, type Decision, type PolicyDecision } from '../decision.js';
import type { HeaderDialect } from '../throttle.options.js';
import { headerDialects, msToSeconds, type Header } from './header-dialects.js';

/** A header with more is of no use to a client, and too long for some proxies. */
const MAX_POLICIES = 10;

const NONE: readonly Header[] = [];

/**
 * The headers of an answer: what the dialects tell of the limits, and `Retry-After` on a refusal when waiting helps. None
 * when no limit applied.
 */
export function headersOf(decision: Decision, dialects: readonly HeaderDialect[], nowMs?: number): readonly Header[] {
  const { allowed, policies } = decision;
  if (policies.length === 0) return NONE;
  const headers: Header[] = [];
  // A limit that could not be asked has nothing to tell.
  if (!isUnavailable(decision)) {
    const told = policies.length > MAX_POLICIES ? { ...decision, policies: nearest(decision) } : decision;
    for (const dialect of dialects) headers.push(...headerDialects[dialect].encode(told, nowMs));
  }
  const retryAfter = allowed ? undefined : retryAfterOf(decision);
  if (retryAfter !== undefined) headers.push(['Retry-After', retryAfter]);
  return headers;
}

/** `Retry-After` of a refusal; undefined when waiting does not help. */
function retryAfterOf({ retryAfterMs }: Decision): string | undefined {
  return retryAfterMs === null ? undefined : String(Math.max(msToSeconds(retryAfterMs), 1));
}

/** `Access-Control-Expose-Headers` by which scripts of other origins can read ours besides those exposed already. */
export function exposedHeaders(
  dialects: readonly HeaderDialect[],
  already: string | readonly string[] | undefined,
): string {
  const names = [already ?? []]
    .flat()
    .join(',')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const known = new Set(names.map((name) => name.toLowerCase()));
  const ours = [...new Set(dialects.flatMap((dialect) => headerDialects[dialect].fields)), 'Retry-After'];
  return [...names, ...ours.filter((name) => !known.has(name.toLowerCase()))].join(', ');
}

/** Those that object, then those with the least left. */
function nearest({ policies, violated }: Decision): readonly PolicyDecision[] {
  const distance = ({ policy, remaining }: PolicyDecision) => (violated.includes(policy) ? -1 : remaining);
  return [...policies].sort((a, b) => distance(a) - distance(b)).slice(0, MAX_POLICIES);
}
