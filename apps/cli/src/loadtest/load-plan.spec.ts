import { planOf, PROFILES, totalOf, type LoadFlags } from './load-plan.js';

const flags: LoadFlags = {
  url: 'http://127.0.0.1:3000',
  path: '/api/quotes?carId=car-1',
  profile: 'burst',
  base: '100/min',
  connections: '16',
  keys: '50',
  timeout: '5s',
  maxP95: '120ms',
};

describe('planOf', () => {
  it('knows the burst: 10x of 100 a minute', () => {
    expect(PROFILES.burst).toEqual({ target: '10x', duration: '30s' });
    expect(planOf(flags)).toMatchObject({ ratePerSecond: 1_000 / 60, durationMs: 30_000, connections: 16, keys: 50 });
    expect(totalOf(planOf(flags))).toBe(500);
  });

  it('knows the sustained load: 5x for 5 minutes', () => {
    expect(PROFILES.sustained).toEqual({ target: '5x', duration: '5m' });
    expect(totalOf(planOf({ ...flags, profile: 'sustained' }))).toBe(2_500);
  });

  it.each([
    [{ target: '3x' }, 5],
    [{ base: '2/s', target: '1.5' }, 3],
    [{ base: '3600/h', target: '2x' }, 2],
  ])('reads %j as %d a second', (changes, rate) => {
    expect(planOf({ ...flags, ...changes }).ratePerSecond).toBeCloseTo(rate);
  });

  it('keeps the path of a service behind a prefix', () => {
    expect(planOf({ ...flags, url: 'http://localhost:3000/rental/' }).url.href).toBe(
      'http://localhost:3000/rental/api/quotes?carId=car-1',
    );
  });

  it.each<[Partial<LoadFlags>, RegExp]>([
    [{ target: 'ten' }, /--target/],
    [{ target: '0x' }, /--target/],
    [{ base: '100/day' }, /--base/],
    [{ duration: 'long' }, /--duration/],
    [{ duration: '61m' }, /at most 1h/],
    [{ base: '5001/s', target: '1x' }, /at most 5000 requests a second, got 5001/],
    [{ profile: 'spike' }, /--profile/],
    [{ profile: 'toString' }, /--profile/],
    [{ connections: '0' }, /--connections/],
    [{ keys: '1e3' }, /--keys/],
    [{ timeout: '0s' }, /--timeout/],
    [{ maxP95: 'fast' }, /--max-p95/],
    [{ url: 'redis://localhost' }, /--url/],
    [{ url: 'localhost:3000' }, /--url/],
    [{ url: 'http://user:S3CRET@localhost' }, /without user and password/],
    [{ path: 'api' }, /--path/],
    [{ url: 'http://example.org' }, /not this machine/],
    [{ url: 'http://127.0.0.1.example.org' }, /not this machine/],
    [{ url: 'http://localhost.example.org' }, /not this machine/],
    [{ url: 'http://[::2]:3000' }, /not this machine/],
    [{ url: 'http://10.0.0.1' }, /not this machine/],
  ])('refuses %j', (changes, problem) => {
    expect(() => planOf({ ...flags, ...changes })).toThrow(problem);
    expect(() => planOf({ ...flags, ...changes })).not.toThrow(/S3CRET/);
  });

  it.each(['http://localhost', 'http://127.8.8.8:1', 'http://[::1]:3000', 'http://2130706433'])('takes %s', (url) => {
    expect(planOf({ ...flags, url }).url).toBeInstanceOf(URL);
  });

  it('takes another machine of an owner who says so', () => {
    expect(planOf({ ...flags, url: 'https://staging.example.org', iOwnThisTarget: true }).url.host).toBe(
      'staging.example.org',
    );
  });

  it('names every problem at once', () => {
    expect(() => planOf({ ...flags, target: 'x', base: 'y', keys: 'z' })).toThrow(/--target[^]*--base[^]*--keys/);
  });
});
