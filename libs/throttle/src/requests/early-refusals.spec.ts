import type { HttpServer } from '@nestjs/common';
import { decisionOf, type Decision, type PolicyDecision } from '../decision.js';
import { resolveLimits, type Limit } from '../policies/limit.js';
import { RateLimitControls } from '../rollout/rate-limit.controls.js';
import type { Charge } from '../switching/charge.js';
import type { RateLimitSwitch } from '../switching/rate-limit.switch.js';
import type { RateLimitShortcuts } from '../shortcuts/rate-limit.shortcuts.js';
import { RejectCache } from '../shortcuts/reject-cache.js';
import { ThrottleConfig } from '../throttle.config.js';
import type { ThrottleMetrics } from '../throttle.metrics.js';
import type { LimitOptions } from '../throttle.options.js';
import { ClientAddresses } from './client-address.resolver.js';
import { EarlyRefusals } from './early-refusals.js';
import { RateLimitSubjects } from './rate-limit.subjects.js';

interface Request {
  readonly method: 'GET';
  readonly path: string;
  readonly ip: string;
  readonly headers: Record<string, string>;
}

type Middleware = (request: Request, response: object, next: () => void) => void;

function setUp(switched: { degraded: boolean; current: string } = { degraded: false, current: 'redis' }) {
  const config = new ThrottleConfig({});
  const controls = new RateLimitControls(100);
  const counted: string[] = [];
  const metrics = { decided: (policy: string) => counted.push(policy) } as unknown as ThrottleMetrics;
  const subjects = new RateLimitSubjects(config, new ClientAddresses(config));
  const shortcuts = { listening: true, refusals: new RejectCache({ maxEntries: 10 }) };
  const early = new EarlyRefusals(
    config,
    subjects,
    switched as RateLimitSwitch,
    controls,
    shortcuts as unknown as RateLimitShortcuts,
    metrics,
  );
  const layers = [{ route: { methods: { get: true } }, match: () => true }];
  let middleware: Middleware | undefined;
  early.serve({
    getType: () => 'express',
    getInstance: () => ({ router: { stack: layers } }),
    use: (given: Middleware) => (middleware = given),
  } as unknown as HttpServer);

  /** The status that the server answers early, undefined where it goes on to the guard. */
  const ask = (request: Request): number | undefined => {
    const response = { statusCode: 0, setHeader: () => undefined, end: () => undefined };
    let passed = false;
    middleware!(request, response, () => (passed = true));
    return passed ? undefined : response.statusCode;
  };
  return { early, controls, shortcuts, counted, layers, ask };
}

const from = (ip: string, path = '/a', headers = {}): Request => ({ method: 'GET', path, ip, headers });

function limitOf(options: Partial<LimitOptions> = {}): Limit {
  const problems: string[] = [];
  const defaults = { outage: 'local', tiered: false } as const;
  const [limit] = resolveLimits('', 'x', { limit: 1, window: '1h', ...options } as LimitOptions, defaults, problems);
  expect(problems).toEqual([]);
  return limit!;
}

function refusalBy(limit: Limit, more: Partial<PolicyDecision> = {}, ms: number | null = 60_000): [Decision, Charge[]] {
  const policy = { policy: limit.name, limit: 1, windowMs: 3_600_000, remaining: 0, retryAfterMs: ms, resetAfterMs: 0 };
  const decision: Decision = {
    allowed: false,
    state: more.blocked ? 'block' : 'throttle',
    violated: [limit.name],
    policies: [{ ...policy, ...more }],
    retryAfterMs: ms,
    backend: 'redis',
  };
  return [decision, [{ limit, quota: { limit: 1, windowUs: 3.6e9 }, subject: 'A'.repeat(22), cost: 1 }]];
}

describe('EarlyRefusals', () => {
  const learn = (
    early: EarlyRefusals,
    request: Request,
    [decision, charges] = refusalBy(limitOf()),
    epoch = early.epoch,
  ) => early.learn(request, { decision, charges, arrivedAt: performance.now(), epoch });

  it('answers, counts and attaches what it learned', () => {
    const { early, counted, ask } = setUp();
    const request = from('1.2.3.4');
    expect(ask(request)).toBeUndefined();
    learn(early, request);
    const again = from('1.2.3.4');
    expect([ask(again), ask(from('1.2.3.5')), ask(from('1.2.3.4', '/b'))]).toEqual([429, undefined, undefined]);
    expect(counted).toEqual(['x']);
    expect(decisionOf(again)?.violated).toEqual(['x']);
  });

  it('takes an address as the guard does', () => {
    const { early, ask } = setUp();
    learn(early, from('2001:db8:0:1::1'));
    learn(early, from('::ffff:1.2.3.4'));
    expect([ask(from('2001:db8:0:1:ffff::2')), ask(from('2001:db8:0:2::1')), ask(from('1.2.3.4'))]).toEqual([
      429,
      undefined,
      429,
    ]);
  });

  it('learns nothing that was decided before something was given back', () => {
    const { early, ask } = setUp();
    const { epoch } = early;
    early.forget(['rate:some:other:key']);
    learn(early, from('1.2.3.4'), refusalBy(limitOf()), epoch);
    expect(ask(from('1.2.3.4'))).toBeUndefined();
    early.forgetAll();
    learn(early, from('1.2.3.4'), refusalBy(limitOf()), epoch + 1);
    expect([ask(from('1.2.3.4')), early.size]).toEqual([undefined, 0]);
  });

  it('learns on while nothing in particular is given back', () => {
    const { early, ask } = setUp();
    const { epoch } = early;
    early.forget([]);
    learn(early, from('1.2.3.4'), refusalBy(limitOf()), epoch);
    expect(ask(from('1.2.3.4'))).toBe(429);
  });

  it('forgets by the keys that were counted', () => {
    const { early, ask } = setUp();
    const [decision, charges] = refusalBy(limitOf());
    learn(early, from('1.2.3.4'), [decision, charges]);
    learn(early, from('1.2.3.4', '/b'), [decision, charges]);
    early.forget(['no such key']);
    expect([early.size, ask(from('1.2.3.4'))]).toEqual([2, 429]);
    early.forget([charges[0]!.limit.keys.of(charges[0]!.subject).name]);
    expect([early.size, ask(from('1.2.3.4')), ask(from('1.2.3.4', '/b'))]).toEqual([0, undefined, undefined]);
  });

  it('neither learns nor answers while limits are turned', () => {
    const { early, controls, ask } = setUp();
    learn(early, from('1.2.3.4'));
    controls.turned = true;
    learn(early, from('1.2.3.5'));
    expect([ask(from('1.2.3.4')), early.size]).toEqual([undefined, 1]);
    controls.turned = false;
    expect([ask(from('1.2.3.4')), ask(from('1.2.3.5'))]).toEqual([429, undefined]);
  });

  it('forgets what the reject cache is told to forget, in any process', () => {
    const { early, shortcuts, ask } = setUp();
    const [decision, charges] = refusalBy(limitOf());
    const { name } = charges[0]!.limit.keys.of(charges[0]!.subject);
    learn(early, from('1.2.3.4'), [decision, charges]);
    shortcuts.refusals.forget([name]);
    expect(ask(from('1.2.3.4'))).toBeUndefined();
    learn(early, from('1.2.3.4'), [decision, charges]);
    shortcuts.refusals.forgetAll();
    expect(ask(from('1.2.3.4'))).toBeUndefined();
  });

  it('learns nothing of Redis while it could not be told of what is given back', () => {
    const { early, shortcuts, ask } = setUp();
    shortcuts.listening = false;
    learn(early, from('1.2.3.4'));
    expect(ask(from('1.2.3.4'))).toBeUndefined();
  });

  it.each(['redis', 'memory'] as const)('believes %s for a minute at most, should nobody tell', (backend) => {
    const { early, ask } = setUp({ degraded: false, current: backend });
    const now = jest.spyOn(performance, 'now');
    try {
      now.mockReturnValue(1_000);
      const [decision, charges] = refusalBy(limitOf(), {}, 3_600_000);
      learn(early, from('1.2.3.4'), [{ ...decision, backend }, charges]);
      now.mockReturnValue(60_999);
      expect(ask(from('1.2.3.4'))).toBe(429);
      now.mockReturnValue(61_000);
      expect(ask(from('1.2.3.4'))).toBeUndefined();
    } finally {
      now.mockRestore();
    }
  });

  it('remembers for a second at most while Redis ought to decide and does not', () => {
    const { early, ask } = setUp({ degraded: true, current: 'memory' });
    const now = jest.spyOn(performance, 'now');
    try {
      now.mockReturnValue(1_000);
      const [decision, charges] = refusalBy(limitOf());
      learn(early, from('1.2.3.4'), [{ ...decision, backend: 'memory' }, charges]);
      now.mockReturnValue(1_999);
      expect(ask(from('1.2.3.4'))).toBe(429);
      now.mockReturnValue(2_000);
      expect(ask(from('1.2.3.4'))).toBeUndefined();
    } finally {
      now.mockRestore();
    }
  });

  it.each<[string, Partial<LimitOptions>, number | null]>([
    ['a cost that changes', { cost: () => 1 }, 1_000],
    ['a user', { key: 'user' }, 1_000],
    ['a function', { key: () => 'x' }, 1_000],
    ['an API key that is not there', { key: 'apiKey' }, 1_000],
    ['what counts by outcome', { count: 'failure' }, 1_000],
    ['refusals that lead to a block', { block: { after: 3, for: '1h' } }, 1_000],
    ['a limit in trial', { mode: { canary: 0.5 } }, 1_000],
    ['a lease', { lease: true }, 1_000],
    ['a wait that does not help', {}, null],
  ])('learns nothing of %s', (_what, options, waitMs) => {
    const { early } = setUp();
    const limit = { ...limitOf(options), lease: options.lease ?? false };
    learn(early, from('1.2.3.4'), refusalBy(limit, {}, waitMs));
    expect(early.size).toBe(0);
  });

  it('learns of a block once it holds: refusals are no longer counted', () => {
    const { early, ask } = setUp();
    learn(early, from('1.2.3.4'), refusalBy(limitOf({ block: { after: 3, for: '1h' } }), { blocked: true }));
    expect(ask(from('1.2.3.4'))).toBe(429);
  });

  it('learns nothing of a block by tier: one that is unlimited does not know of it', () => {
    const { early } = setUp();
    learn(early, from('1.2.3.4'), refusalBy({ ...limitOf(), quota: 'byTier' }, { blocked: true }));
    expect(early.size).toBe(0);
  });

  it('learns nothing of the outage policy `closed`', () => {
    const { early } = setUp();
    const [decision, charges] = refusalBy(limitOf());
    learn(early, from('1.2.3.4'), [{ ...decision, state: 'block' }, charges]);
    expect(early.size).toBe(0);
  });

  it('learns nothing where another route may answer, or one that it cannot look into', () => {
    const { early, layers } = setUp();
    layers.push({ route: { methods: { get: true } }, match: () => true });
    learn(early, from('1.2.3.4'));
    layers.splice(1, 1, { handle: { stack: [] }, match: () => true } as never);
    learn(early, from('1.2.3.4'));
    layers.splice(1, 1, { route: { methods: { get: true } } } as never);
    learn(early, from('1.2.3.4'));
    expect(early.size).toBe(0);
    layers.splice(1, 1, { route: { methods: { post: true } }, match: () => true } as never);
    learn(early, from('1.2.3.4'));
    expect(early.size).toBe(1);
  });

  it('is bounded: whoever asked longest ago is forgotten', () => {
    const { early, ask } = setUp();
    const ip = (i: number) => from(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    for (let i = 0; i < 10_000; i++) learn(early, ip(i));
    expect(ask(ip(0))).toBe(429);
    for (let i = 10_000; i < 10_010; i++) learn(early, ip(i));
    expect([early.size, ask(ip(0)), ask(ip(1)), ask(ip(10_009))]).toEqual([10_000, 429, undefined, 429]);
    learn(early, from('1.2.3.4', `/${'x'.repeat(1_000)}`)); // a name that long is not worth the memory
    expect(early.size).toBe(10_000);
  });
});
