import type { Decision } from './decision.js';
import { RateLimitExceededError, RateLimitUnavailableError, refusalOf } from './throttle.errors.js';

const decision: Decision = {
  allowed: false,
  state: 'throttle',
  violated: ['login'],
  policies: [
    { policy: 'login', limit: 5, windowMs: 60_000, remaining: 0, retryAfterMs: 12_000, resetAfterMs: 60_000 },
    { policy: 'other', limit: 5, windowMs: 60_000, remaining: 4, retryAfterMs: 0, resetAfterMs: 60_000 },
  ],
  retryAfterMs: 12_000,
  backend: 'redis',
};

describe('refusalOf', () => {
  it('says which limits object, with no stack trace, and leaves those of other errors alone', () => {
    const before = Error.stackTraceLimit;
    const refusal = refusalOf(decision);
    expect(refusal).toBeInstanceOf(RateLimitExceededError);
    expect(refusal.message).toBe('"login" allows 5 per 60 s. Try again in 12 s.');
    expect(refusal.stack).not.toContain('\n    at ');
    expect([Error.stackTraceLimit, new Error('x').stack]).toEqual([before, expect.stringContaining('\n    at ')]);
  });

  it('tells an outage from an excess', () => {
    expect(refusalOf({ ...decision, state: 'block' })).toBeInstanceOf(RateLimitUnavailableError);
  });
});
