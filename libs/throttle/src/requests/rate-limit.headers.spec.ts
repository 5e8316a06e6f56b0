import type { Decision, PolicyDecision } from '../decision.js';
import { closestOf, rateLimitOf, rateLimitPolicyOf, retryAfterOf } from './rate-limit.headers.js';

const policy = (overrides: Partial<PolicyDecision>): PolicyDecision => ({
  policy: 'burst',
  limit: 5,
  windowMs: 10_000,
  remaining: 4,
  retryAfterMs: 0,
  resetAfterMs: 2_000,
  ...overrides,
});

const daily = policy({ policy: 'daily', limit: 1_000, windowMs: 86_400_000, remaining: 999, resetAfterMs: 86_400 });

const decision = (policies: PolicyDecision[], overrides: Partial<Decision> = {}): Decision => ({
  allowed: true,
  state: 'allow',
  violated: [],
  retryAfterMs: 0,
  backend: 'redis',
  policies,
  ...overrides,
});

const refusal = (policies: PolicyDecision[], violated: string[], retryAfterMs: number | null): Decision =>
  decision(policies, { allowed: false, state: 'throttle', violated, retryAfterMs });

describe('headers of draft-ietf-httpapi-ratelimit-headers-11', () => {
  it('70: tell of each limit', () => {
    const both = decision([policy({}), daily]);
    expect(rateLimitPolicyOf(both)).toBe('"burst";q=5;w=10, "daily";q=1000;w=86400');
    expect(rateLimitOf(both)).toBe('"burst";r=4;t=2, "daily";r=999;t=87');
  });

  it('71: tell on a refusal of the limits that object, and when they will not', () => {
    const long = policy({ policy: 'long', limit: 1, remaining: 0, retryAfterMs: 60_000, resetAfterMs: 60_000 });
    const refused = refusal([policy({}), long], ['long'], 60_000);
    expect(rateLimitOf(refused)).toBe('"long";r=0;t=60');
    expect(rateLimitPolicyOf(refused)).toBe('"burst";q=5;w=10, "long";q=1;w=10');
    expect(retryAfterOf(refused)).toBe('60');
  });

  it('71: never a `t` beyond `Retry-After`, though a bucket takes longer to fill than to take one more', () => {
    const bucket = policy({ remaining: 0, retryAfterMs: 2_000, resetAfterMs: 10_000 });
    const refused = refusal([bucket], ['burst'], 2_000);
    expect([rateLimitOf(refused), retryAfterOf(refused)]).toEqual(['"burst";r=0;t=2', '2']);
  });

  it.each([
    [1, '1'],
    [999, '1'],
    [1_000, '1'],
    [1_001, '2'],
    [2_000, '2'],
  ])('72: %d ms are Retry-After %s', (ms, seconds) => {
    expect(retryAfterOf(refusal([], ['x'], ms))).toBe(seconds);
  });

  it('14: a limit of 0 never says when', () => {
    const never = policy({ limit: 0, remaining: 0, retryAfterMs: null, resetAfterMs: 0 });
    const refused = refusal([never], ['burst'], null);
    expect([rateLimitOf(refused), retryAfterOf(refused)]).toEqual(['"burst";r=0', undefined]);
  });

  it('73: windows below a second are told as one', () => {
    expect(rateLimitPolicyOf(decision([policy({ windowMs: 500 })]))).toBe('"burst";q=5;w=1');
  });

  it('74: names are escaped', () => {
    expect(rateLimitPolicyOf(decision([policy({ policy: 'a"b\\c' })]))).toBe('"a\\"b\\\\c";q=5;w=10');
  });

  it('70: no integer has more than 15 digits', () => {
    const huge = decision([policy({ limit: Number.MAX_SAFE_INTEGER, remaining: Number.MAX_SAFE_INTEGER })]);
    expect(rateLimitOf(huge)).toBe('"burst";r=999999999999999;t=2');
  });
});

describe('X-RateLimit-*', () => {
  it('tell of the limit that is nearest, or objects', () => {
    expect(closestOf(decision([daily, policy({})]))?.policy).toBe('burst');
    expect(closestOf(refusal([policy({ remaining: 0 }), daily], ['daily'], 1))?.policy).toBe('daily');
    expect(closestOf(decision([]))).toBeUndefined();
  });
});
