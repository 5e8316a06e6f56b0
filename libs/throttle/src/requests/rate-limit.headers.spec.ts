import { parseDictionary, parseList } from 'structured-headers';
import type { Decision, PolicyDecision } from '../decision.js';
import { RateLimitExceededError } from '../throttle.errors.js';
import type { HeaderDialect } from '../throttle.options.js';
import { headerDialects, headerProblem } from './header-dialects.js';
import { partitionKey } from './partition-key.js';
import { exposedHeaders, headersOf } from './rate-limit.headers.js';

const policy = (overrides: Partial<PolicyDecision> = {}): PolicyDecision => ({
  policy: 'burst',
  limit: 5,
  windowMs: 10_000,
  remaining: 4,
  retryAfterMs: 0,
  resetAfterMs: 2_000,
  ...overrides,
});

const daily = policy({ policy: 'daily', limit: 1_000, windowMs: 86_400_000, remaining: 999, resetAfterMs: 86_400 });
const slots = policy({ policy: 'exports', windowMs: null, resetAfterMs: 30_000 });

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

const NOW_MS = 1_700_000_000_400;
const told = (of: Decision, dialect: HeaderDialect = 'ratelimit') =>
  Object.fromEntries(headersOf(of, [dialect], NOW_MS)) as Record<string, string>;

/** What an RFC 9651 parser reads, as plain values. */
const parsed = (field: string) =>
  parseList(field).map(([name, parameters]) => [name, Object.fromEntries(parameters)] as const);

describe('headers of draft-ietf-httpapi-ratelimit-headers-11', () => {
  it('70: tell of each limit', () => {
    const headers = told(decision([policy(), daily]));
    expect(headers).toEqual({
      'RateLimit-Policy': '"burst";q=5;w=10, "daily";q=1000;w=86400',
      RateLimit: '"burst";r=4;t=2, "daily";r=999;t=87',
    });
    expect(parsed(headers['RateLimit-Policy']!)).toEqual([
      ['burst', { q: 5, w: 10 }],
      ['daily', { q: 1_000, w: 86_400 }],
    ]);
    expect(parsed(headers['RateLimit']!)).toEqual([
      ['burst', { r: 4, t: 2 }],
      ['daily', { r: 999, t: 87 }],
    ]);
  });

  it('70: no integer has more than 15 digits', () => {
    const huge = { limit: Number.MAX_SAFE_INTEGER, remaining: Number.MAX_SAFE_INTEGER };
    for (const field of Object.values(told(decision([policy({ ...huge, windowMs: 9e15, resetAfterMs: 9e18 })])))) {
      expect(field).toContain('999999999999999');
      expect(field).not.toMatch(/\d{16}/);
      expect(() => parseList(field)).not.toThrow();
    }
  });

  it('71: tell on a refusal of the limits that object, and when they will not', () => {
    const long = policy({ policy: 'long', limit: 1, remaining: 0, retryAfterMs: 60_000, resetAfterMs: 60_000 });
    expect(told(refusal([policy(), long], ['long'], 60_000))).toEqual({
      'RateLimit-Policy': '"burst";q=5;w=10, "long";q=1;w=10',
      RateLimit: '"long";r=0;t=60',
      'Retry-After': '60',
    });
  });

  it('71: never a `t` beyond `Retry-After`, though a bucket takes longer to fill than to take one more', () => {
    const bucket = policy({ remaining: 0, retryAfterMs: 2_000, resetAfterMs: 10_000 });
    expect(told(refusal([bucket], ['burst'], 2_000))).toMatchObject({
      RateLimit: '"burst";r=0;t=2',
      'Retry-After': '2',
    });
  });

  it.each([
    [1, '1'],
    [999, '1'],
    [1_000, '1'],
    [1_001, '2'],
    [2_000, '2'],
  ])('72: %d ms are Retry-After %s', (ms, seconds) => {
    expect(told(refusal([policy({ retryAfterMs: ms })], ['burst'], ms))['Retry-After']).toBe(seconds);
  });

  it('14: a limit of 0 never says when', () => {
    const never = policy({ limit: 0, remaining: 0, retryAfterMs: null, resetAfterMs: 0 });
    expect(told(refusal([never], ['burst'], null))).toEqual({
      'RateLimit-Policy': '"burst";q=0;w=10',
      RateLimit: '"burst";r=0',
    });
  });

  it('73: windows below a second are told as one', () => {
    expect(told(decision([policy({ windowMs: 500 })]))['RateLimit-Policy']).toBe('"burst";q=5;w=1');
  });

  it('74: names are escaped', () => {
    const headers = told(decision([policy({ policy: 'a"b\\c' })]));
    expect(headers['RateLimit-Policy']).toBe('"a\\"b\\\\c";q=5;w=10');
    expect(parsed(headers['RateLimit']!)[0]![0]).toBe('a"b\\c');
  });

  it('75: concurrency has a unit and no window, and tells when only on a refusal that knows it', () => {
    const allowed = told(decision([slots]));
    expect(allowed).toEqual({
      'RateLimit-Policy': '"exports";q=5;qu="concurrent-requests"',
      RateLimit: '"exports";r=4',
    });
    expect(parsed(allowed['RateLimit-Policy']!)).toEqual([['exports', { q: 5, qu: 'concurrent-requests' }]]);
    const full = { ...slots, remaining: 0 };
    expect(told(refusal([{ ...full, retryAfterMs: null }], ['exports'], null))['RateLimit']).toBe('"exports";r=0');
    expect(told(refusal([{ ...full, retryAfterMs: 9_001 }], ['exports'], 9_001))).toMatchObject({
      RateLimit: '"exports";r=0;t=10',
      'Retry-After': '10',
    });
  });

  it('76: `pk` is a byte sequence that only the secret leads to', () => {
    const key = partitionKey('a secret of the service', 'digest-of-1.2.3.4');
    const { RateLimit: field, 'RateLimit-Policy': policies } = told(decision([policy({ partitionKey: key })]));
    expect(field).toBe(`"burst";r=4;t=2;pk=:${key}:`);
    const [, { pk }] = parsed(field!)[0]!;
    expect(Buffer.from(pk as ArrayBuffer).toString('base64')).toBe(key);
    expect(policies).not.toContain('pk'); // the same for all clients
    expect(partitionKey('another secret, as long', 'digest-of-1.2.3.4')).not.toBe(key);
    expect(partitionKey('a secret of the service', 'digest-of-1.2.3.5')).not.toBe(key);
  });

  it('tell of the ten nearest limits at most, those that object first', () => {
    const many = Array.from({ length: 30 }, (_, index) => policy({ policy: `p${index}`, remaining: 30 - index }));
    const names = (field: string) => parsed(field).map(([name]) => name);
    const nearest = Array.from({ length: 10 }, (_, index) => `p${29 - index}`);
    const allowed = told(decision(many));
    expect([names(allowed['RateLimit']!), names(allowed['RateLimit-Policy']!)]).toEqual([nearest, nearest]);
    const refused = told(refusal(many, ['p0'], 1));
    expect(names(refused['RateLimit']!)).toEqual(['p0']);
    expect(names(refused['RateLimit-Policy']!)).toEqual(['p0', ...nearest.slice(0, 9)]);
  });

  it('are not there when no limit applied, or none could be asked', () => {
    expect(headersOf(decision([]), ['ratelimit'])).toEqual([]);
    const closed = { ...refusal([policy({ remaining: 0 })], ['burst'], 1_000), state: 'block' as const };
    expect(told(closed)).toEqual({ 'Retry-After': '1' });
  });

  it('71: tell a blocked subject how long', () => {
    const blocked = policy({ remaining: 0, retryAfterMs: 600_000, resetAfterMs: 600_000, blocked: true });
    expect(told({ ...refusal([blocked], ['burst'], 600_000), state: 'block' })).toEqual({
      'RateLimit-Policy': '"burst";q=5;w=10',
      RateLimit: '"burst";r=0;t=600',
      'Retry-After': '600',
    });
  });
});

describe('other dialects', () => {
  const both = decision([daily, policy()]);
  const refused = refusal(
    [
      policy({ remaining: 0, retryAfterMs: 2_000, resetAfterMs: 9_000 }),
      { ...daily, retryAfterMs: 60_000, remaining: 0 },
    ],
    ['burst', 'daily'],
    60_000,
  );

  it('ratelimit-166: `a` and `w` instead of `r` and `t`', () => {
    expect(told(both, 'ratelimit-166')).toEqual({
      'RateLimit-Policy': '"daily";q=1000;w=86400, "burst";q=5;w=10',
      RateLimit: '"daily";a=999;w=87, "burst";a=4;w=2',
    });
    expect(told(refused, 'ratelimit-166')['RateLimit']).toBe('"burst";a=0;w=2, "daily";a=0;w=60');
  });

  it('draft-7: the nearest limit as a dictionary; of those that object, the one to wait for longest', () => {
    expect(told(both, 'draft-7')).toEqual({
      'RateLimit-Policy': '1000;w=86400, 5;w=10',
      RateLimit: 'limit=5, remaining=4, reset=2',
    });
    const field = told(refused, 'draft-7');
    expect(field).toMatchObject({ RateLimit: 'limit=1000, remaining=0, reset=60', 'Retry-After': '60' });
    expect([...parseDictionary(field['RateLimit']!).keys()]).toEqual(['limit', 'remaining', 'reset']);
  });

  it('draft-6: the nearest limit in three headers', () => {
    expect(told(both, 'draft-6')).toEqual({
      'RateLimit-Policy': '1000;w=86400, 5;w=10',
      'RateLimit-Limit': '5',
      'RateLimit-Remaining': '4',
      'RateLimit-Reset': '2',
    });
  });

  it('75: drafts 6 and 7 cannot tell a policy without a window, and leave it out', () => {
    expect(told(decision([slots, daily]), 'draft-7')['RateLimit-Policy']).toBe('1000;w=86400');
    expect(told(decision([slots]), 'draft-6')).toEqual({
      'RateLimit-Limit': '5',
      'RateLimit-Remaining': '4',
      'RateLimit-Reset': '30',
    });
  });

  it('x-ratelimit: the seconds until the reset; x-ratelimit-epoch: its moment, rounded up', () => {
    const three = { 'X-RateLimit-Limit': '5', 'X-RateLimit-Remaining': '4' };
    expect(told(both, 'x-ratelimit')).toEqual({ ...three, 'X-RateLimit-Reset': '2' });
    expect(told(both, 'x-ratelimit-epoch')).toEqual({ ...three, 'X-RateLimit-Reset': '1700000003' });
    const never = policy({ limit: 0, remaining: 0, retryAfterMs: null, resetAfterMs: 1_500 });
    expect(told(refusal([never], ['burst'], null), 'x-ratelimit')['X-RateLimit-Reset']).toBe('2');
  });

  it('go together, and write just the fields that they announce', () => {
    const dialects = Object.keys(headerDialects) as HeaderDialect[];
    for (const dialect of dialects) expect(Object.keys(told(both, dialect))).toEqual(headerDialects[dialect].fields);
    expect(headersOf(both, ['ratelimit', 'x-ratelimit']).map(([name]) => name)).toEqual([
      ...headerDialects.ratelimit.fields,
      ...headerDialects['x-ratelimit'].fields,
    ]);
    expect(headersOf(refused, [])).toEqual([['Retry-After', '60']]);
  });

  it.each([
    [['ratelimit', 'ratelimit-166'], /'ratelimit' and 'ratelimit-166' write RateLimit-Policy/],
    [['ratelimit', 'draft-6'], /write RateLimit-Policy/],
    [['x-ratelimit', 'x-ratelimit-epoch'], /write X-RateLimit-Limit/],
    [['ratelimit', 'ratelimit'], /each field once/],
    [['throttler'], /Expected `headers` to be a list of 'ratelimit'/],
    ['ratelimit', /Expected `headers` to be a list/],
  ])('%j are refused at boot', (headers, problem) => {
    expect(headerProblem(headers)).toMatch(problem);
  });

  it('any that share no field are accepted', () => {
    expect(headerProblem([])).toBeUndefined();
    expect(headerProblem(['draft-7', 'x-ratelimit-epoch'])).toBeUndefined();
  });
});

it('78: a refusal is a problem of the registered type, with the policies that it violates', () => {
  const full = { ...slots, remaining: 0, retryAfterMs: null };
  const long = policy({ policy: 'long', remaining: 0, retryAfterMs: 1_500 });
  expect(new RateLimitExceededError(refusal([full, long, daily], ['exports', 'long'], null)).getResponse()).toEqual({
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Request cannot be satisfied as assigned quota has been exceeded',
    status: 429,
    detail: '"exports" allows 5 at once, "long" allows 5 per 10 s. Waiting will not help.',
    errorCode: 'throttle.exceeded',
    'violated-policies': ['exports', 'long'],
  });
});

describe('exposedHeaders', () => {
  it('adds ours to what is exposed already, each once', () => {
    expect(exposedHeaders(['ratelimit'], undefined)).toBe('RateLimit-Policy, RateLimit, Retry-After');
    expect(exposedHeaders(['ratelimit', 'x-ratelimit'], 'X-Total, ratelimit')).toBe(
      'X-Total, ratelimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After',
    );
    expect(exposedHeaders([], ['X-A', 'X-B'])).toBe('X-A, X-B, Retry-After');
  });
});
