import type { ThrottlerConfig } from './throttler.options.js';
import type { ThrottlerHit, ThrottlerRecord } from './throttler.storage.js';
import type { Decision } from '../decision.js';
import { headersOf } from '../requests/rate-limit.headers.js';

/** One throttler of a request, and what it said. */
export interface Throttled {
  readonly hit: ThrottlerHit;
  readonly tracker: string;
  /** Whether this throttler tells of itself. */
  readonly setHeaders: boolean;
  readonly record: ThrottlerRecord;
}

type SetHeader = (name: string, value: string | number) => void;

/** `X-RateLimit-*` of a throttler that let the request pass, byte by byte as @nestjs/throttler writes them. */
export function setCompatHeaders({ hit, record }: Throttled, prefix: string, set: SetHeader): void {
  const { limit, throttlerName } = hit;
  const suffix = suffixOf(throttlerName);
  set(`${prefix}-Limit${suffix}`, limit);
  set(`${prefix}-Remaining${suffix}`, Math.max(0, limit - record.totalHits));
  set(`${prefix}-Reset${suffix}`, record.timeToExpire);
}

/** `Retry-After` of a refusal: the longest wait, and by option the one of the throttler that refused first. */
export function setRetryAfter(
  throttled: readonly Throttled[],
  style: ThrottlerConfig['compatRetryAfter'],
  set: SetHeader,
): void {
  const telling = throttled.filter(({ record, setHeaders }) => record.isBlocked && setHeaders);
  const [first] = telling;
  if (first === undefined) return;
  const suffix = suffixOf(first.hit.throttlerName);
  if (style !== 'plain' && (style === 'suffixed' || suffix !== '')) {
    set(`Retry-After${suffix}`, first.record.timeToBlockExpire);
  }
  if (style !== 'suffixed') set('Retry-After', Math.max(...telling.map(({ record }) => record.timeToBlockExpire)));
}

/** `RateLimit-Policy` and `RateLimit` of the current IETF draft for all throttlers, and `Retry-After`. */
export function setModernHeaders(throttled: readonly Throttled[], set: SetHeader): void {
  const telling = throttled.filter(({ setHeaders, hit }) => setHeaders && Number.isFinite(hit.limit));
  if (telling.length === 0) return;
  for (const [name, value] of headersOf(decisionOf(telling), ['ratelimit'])) set(name, value);
}

function decisionOf(throttled: readonly Throttled[]): Decision {
  const violated = throttled.filter(({ record }) => record.isBlocked).map(({ hit }) => hit.throttlerName);
  const policies = throttled.map(({ hit, record }) => ({
    policy: hit.throttlerName,
    limit: Math.max(0, Math.floor(hit.limit)),
    windowMs: hit.ttl,
    remaining: Math.max(0, Math.floor(hit.limit - record.totalHits)),
    retryAfterMs: record.timeToBlockExpire * 1_000,
    resetAfterMs: record.timeToExpire * 1_000,
  }));
  const retryAfterMs = Math.max(0, ...throttled.map(({ record }) => record.timeToBlockExpire * 1_000));
  const allowed = violated.length === 0;
  return { allowed, state: allowed ? 'allow' : 'throttle', violated, policies, retryAfterMs, backend: 'redis' };
}

function suffixOf(throttlerName: string): string {
  return throttlerName === 'default' ? '' : `-${throttlerName}`;
}
