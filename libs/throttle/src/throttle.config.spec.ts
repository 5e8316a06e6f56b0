import { ThrottleConfig } from './throttle.config.js';
import type { ThrottleOptions } from './throttle.options.js';

const problemsOf = (options: unknown) => new ThrottleConfig(options as ThrottleOptions).problems;
const limit = (options: object) => problemsOf({ policies: { x: { limit: 1, window: '1m', ...options } } });

describe('ThrottleConfig', () => {
  it('completes what is left out', () => {
    const { policies, replicas, canaryPercent, problems } = new ThrottleConfig({
      policies: {
        login: [
          { limit: 5, window: '1m', name: 'user', key: 'user' },
          { limit: 100, window: '1h' },
        ],
      },
    });
    expect(problems).toEqual([]);
    expect([replicas, canaryPercent]).toEqual([1, 100]);
    expect(policies.get('login')).toMatchObject([
      { name: 'login.user', part: 'user', algorithm: 'gcra', quota: { limit: 5, windowUs: 60_000_000 }, cost: 1 },
      { name: 'login.1', part: '1', key: 'ip', outage: 'local' },
    ]);
  });

  it('names every problem at once', () => {
    const problems = problemsOf({
      policies: { a: { limit: -1, window: '1m' }, b: { limit: 1, algorithm: 'sliding-lag' } },
      tiers: { free: '100 an hour' },
      canaryPercent: 101,
      replicas: 0,
      polices: {},
    });
    expect(problems).toHaveLength(7);
    expect(problems.join('\n')).toMatch(
      /polices.*replicas.*canaryPercent.*"free".*"a".*-1.*"b".*sliding-lag.*"b".*window/s,
    );
  });

  it.each([
    ['a limit that is no integer', { limit: 1.5 }, /limit.*1\.5/],
    ['a limit that is not a number', { limit: '5' }, /limit.*"5"/],
    ['a limit that is NaN', { limit: NaN }, /NaN/],
    ['no window', { window: undefined }, /window/],
    ['a window of nothing', { window: 0 }, /window/],
    ['a window that is a word', { window: 'soon' }, /window.*soon/],
    ['a window too short for the limit', { limit: 2_000, window: 1 }, /at least 1 µs per request/],
    ['a window too long', { window: '367d' }, /366d/],
    ['a window without a number', { limit: 'unlimited' }, /no `window`/],
    ['a tier without tiers', { limit: 'byTier', window: undefined }, /tierOf/],
    ['a key nobody knows', { key: 'cookie' }, /key.*'connection'.*cookie/],
    ['a charge per something else', { per: 'resolver' }, /`per` to be 'request' or 'call', got `"resolver"`/],
    ['a negative cost', { cost: -1 }, /cost.*-1/],
    ['a cost that is no integer', { cost: 0.5 }, /cost.*0\.5/],
    ['an outage policy nobody knows', { outage: 'maybe' }, /outage.*maybe/],
    ['a mode nobody knows', { mode: 'off' }, /`mode`.*off/],
    ['a canary beyond all', { mode: { canary: 25 } }, /`mode`.*canary: `25`/],
    ['a trial of slots', { mode: 'shadow', algorithm: 'concurrency' }, /`mode` but 'enforce' with algorithm/],
    ['a trial of what is settled', { mode: { canary: 0.5 }, count: 'failure' }, /`mode` but 'enforce' with `count`/],
    ['an option of another version', { blocks: '1h' }, /Unknown option `blocks`/],
    ['a block that is none', { block: '1h' }, /`block` to be { after, for }/],
    ['a block after nothing', { block: { after: 0, for: '1h' } }, /`block.after` to be a positive integer/],
    ['a block without end', { block: { after: 1, for: '367d' } }, /`block.for`: Expected at most 366d/],
    ['a memory without length', { block: { after: 1, for: '1h', within: 0 } }, /`block.within`: Expected a duration/],
    ['an unknown part of a block', { block: { after: 1, for: '1h', until: 1 } }, /Unknown option `block.until`/],
    ['a count of nothing', { count: 'none' }, /`count` to be 'all', 'success', 'failure' or a function/],
    ['slots counted by outcome', { count: 'failure', algorithm: 'concurrency' }, /no `count` with algorithm/],
  ])('refuses %s', (_what, options, problem) => {
    expect(limit(options).join()).toMatch(problem);
  });

  it('74: refuses names that do not fit into a header', () => {
    expect(problemsOf({ policies: { é: { limit: 1, window: '1m' } } }).join()).toMatch(/printable ASCII/);
    expect(problemsOf({ policies: { 'a"b\\c': { limit: 1, window: '1m' } } })).toEqual([]);
  });

  it('refuses an empty policy, one that is no object, and limits of one name', () => {
    expect(problemsOf({ policies: { x: [] } }).join()).toMatch(/at least one limit/);
    expect(problemsOf({ policies: { x: null } }).join()).toMatch(/got `null`/);
    const same = { limit: 1, window: '1m', name: 'a' };
    expect(problemsOf({ policies: { x: [same, same] } }).join()).toMatch(/name of its own/);
  });

  it.each([null, 0, '', 'x', true, []])('refuses %j for an object', (nothing) => {
    expect(problemsOf(nothing).join()).toMatch(/options such as \{ policies \}/);
    expect(problemsOf({ policies: nothing, tiers: nothing }).join('\n')).toMatch(/`policies`.*object.*\n.*`tiers`/);
  });

  it.each([null, 0, {}, ['a']])('refuses %j as the name of a limit', (name) => {
    expect(limit({ name }).join()).toMatch(/`name` to be a string/);
  });

  it('refuses a stop-loss without a length of time, or with more than it knows', () => {
    expect(problemsOf({ stopLoss: { p95: 0 } }).join()).toMatch(/stopLoss\.p95/);
    expect(problemsOf({ stopLoss: { p95: '1s', ovr: '1m' } })).toEqual(['Unknown option `stopLoss.ovr`']);
    expect(new ThrottleConfig({}).stopLoss).toEqual({ p95Ms: 300, overMs: 60_000 });
  });

  it.each([
    [{ ipv6Prefix: 31 }, /`ipv6Prefix`.*32 to 128.*31/],
    [{ ipv6Prefix: 129 }, /129/],
    [{ ipv6Prefix: 64.5 }, /64\.5/],
    [{ ipv6Prefix: '64' }, /"64"/],
    [{ exposeHeaders: 'yes' }, /`exposeHeaders`.*"yes"/],
    [{ headers: ['ratelimit', 'draft-7'] }, /'ratelimit' and 'draft-7' write RateLimit-Policy/],
    [{ headers: 'none' }, /`headers`.*"none"/],
    [{ proxy: { hops: -1 } }, /`proxy\.hops`.*-1/],
    [{ proxy: { cidrs: ['10.0.0.0/99'] } }, /`proxy\.cidrs`.*10\.0\.0\.0\/99/],
    [{ proxy: null }, /`proxy`.*null/],
  ])('refuses %j', (options, problem) => {
    expect(problemsOf(options).join('\n')).toMatch(problem);
  });

  it('76: refuses a short secret, and does not tell it', () => {
    const problems = problemsOf({ partitionKeySecret: 'hunter2' }).join();
    expect(problems).toMatch(/`partitionKeySecret`.*16 characters/);
    expect(problems).not.toContain('hunter2');
  });

  it.each([NaN, -1, 100.1, '50', null])('refuses %p as canary', (canaryPercent) => {
    expect(problemsOf({ canaryPercent }).join()).toMatch(/canaryPercent/);
  });

  it.each([-1, 1.5, NaN, '10', null, Infinity])('refuses %p as entries of the reject cache', (rejectCacheEntries) => {
    expect(problemsOf({ rejectCacheEntries }).join()).toMatch(/`rejectCacheEntries` to be a non-negative integer/);
  });

  it('takes no entries for none, and ten thousand for nothing said', () => {
    expect(problemsOf({ rejectCacheEntries: 0 })).toEqual([]);
    expect(new ThrottleConfig({}).rejectCacheEntries).toBe(10_000);
  });

  it.each([
    ['another algorithm', { algorithm: 'sliding-log' }, /`lease` only with algorithm 'gcra' or 'fixed-window'/],
    ['a block', { block: { after: 3, for: '1m' } }, /no `block` with `lease`/],
    ['an outcome', { count: 'failure' }, /no `count` with `lease`/],
    ['no boolean', { lease: 'yes' }, /`lease` to be a boolean, got `"yes"`/],
  ])('refuses a lease with %s', (_, options, problem) => {
    const x = { limit: 100, window: '1m', lease: true, ...options };
    expect(problemsOf({ policies: { x } }).join()).toMatch(problem);
  });

  it('refuses anything but yes and no for refuseEarly', () => {
    expect(problemsOf({ refuseEarly: 'no' }).join()).toMatch(/`refuseEarly` to be true or false, got `"no"`/);
    expect(problemsOf({ refuseEarly: false })).toEqual([]);
  });

  it('takes the connection as a key, and charges per call', () => {
    expect(limit({ key: 'connection', per: 'call' })).toEqual([]);
  });

  describe('tiers', () => {
    const { tiers, problems } = new ThrottleConfig({
      tiers: { pro: '10000/1h', free: '100/1h', slow: '2/1m', enterprise: 'unlimited' },
    });

    it('are read', () => {
      expect(problems).toEqual([]);
      expect(tiers!.quotaOf('pro')).toEqual({ limit: 10_000, windowUs: 3_600_000_000 });
      expect(tiers!.quotaOf('enterprise')).toBe('unlimited');
    });

    it.each([undefined, null, '', 'platinum', '__proto__', 'constructor', 'toString'])(
      'give the strictest to tier %p',
      (tier) => expect(tiers!.quotaOf(tier)).toEqual({ limit: 100, windowUs: 3_600_000_000 }),
    );

    it('must not all be unlimited', () => {
      expect(problemsOf({ tiers: { all: 'unlimited' } }).join()).toMatch(/a limited tier/);
    });

    it.each(['', '100', '100/', '/1h', '-1/1h', '1.5/1h', '1e3/1h', '100/1y', null])('cannot be %p', (text) => {
      expect(problemsOf({ tiers: { x: text, y: '1/1h' } }).join()).toMatch(/Tier "x"/);
    });
  });
});
