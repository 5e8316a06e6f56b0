import { InvalidOptionsError } from '@roost/redis';
import { CacheConfig } from './cache.config.js';
import { InvalidCacheOptionsError } from './cache.errors.js';
import type { CacheModuleOptions, CacheOptions } from './cache.options.js';
import { Plans } from './cache.plan.js';
import { openNode } from './cache.testbed.js';
import { Codecs } from './values/codecs.js';

const problemsOf = (make: () => unknown): readonly string[] => {
  try {
    make();
    return [];
  } catch (error) {
    if (error instanceof InvalidOptionsError || error instanceof InvalidCacheOptionsError) return error.problems;
    throw error;
  }
};
const plan = (options: unknown, defaults: CacheOptions = {}) =>
  new Plans(defaults, new Codecs()).of(options as CacheOptions);

describe('options of a call', () => {
  it('are checked all at once', () => {
    const wrong = {
      tll: 1,
      ttl: 0,
      tags: ['', 'x'.repeat(257), 5],
      grace: -1,
      staleIfError: 'yes',
      retryAfter: 0,
      softTimeout: '40d',
      hardTimeout: 0,
      errorTtl: NaN,
      negativeTtl: Infinity,
      jitter: 2,
      eager: 1,
      codec: 'msgpack',
    };
    const problems = problemsOf(() => plan(wrong)).join('\n');
    for (const name of Object.keys(wrong)) expect(problems).toContain(name === 'tags' ? 'each tag' : `\`${name}\``);
    expect(problems.split('\n')).toHaveLength(15);
  });

  it.each([
    [{ tags: 'abc' }, 'tags'],
    [{ tags: Array.from({ length: 65 }, (_, index) => `${index}`) }, 'at most 64'],
    [{ eager: { beta: 0 } }, 'eager'],
    [{ eager: {} }, 'eager'],
    [{ codec: { id: 15 } }, '16 to 255'],
    [{ codec: null }, 'codec'],
    [{ jitter: -0.1 }, 'jitter'],
    [{ jitter: '5%' }, 'jitter'],
  ])('%j is refused', (options, named) => {
    expect(problemsOf(() => plan(options)).join()).toContain(named);
  });

  it('take what they leave open from the defaults, and those from the house', () => {
    expect(plan({})).toMatchObject({ ttlMs: 300_000, graceMs: 0, retryAfterMs: 1_000, jitter: 0.05, tags: [] });
    expect(plan({ ttl: undefined, grace: '1s' }, { ttl: '1m', grace: '2s' })).toMatchObject({
      ttlMs: 60_000,
      graceMs: 1_000,
    });
    expect(plan({}, { ttl: undefined })).toMatchObject({ ttlMs: 300_000 });
    expect(plan({ tags: ['a', 'b', 'a'], ttl: 1.5 })).toMatchObject({ tags: ['a', 'b'], ttlMs: 2 });
  });

  it('are turned into a plan once', () => {
    const plans = new Plans({}, new Codecs());
    const options = { ttl: '1m' } as const;
    expect(plans.of(options)).toBe(plans.of(options));
    expect(plans.of(undefined)).toBe(plans.of(undefined));
  });
});

describe('options of the module', () => {
  it('are checked all at once', () => {
    const wrong = {
      backend: 'disk',
      namespace: 'a:b',
      version: '',
      tracking: 'on',
      maxValueBytes: -1,
      warnValueBytes: 1.5,
      compressFromBytes: 'x',
      lease: 50,
      outageTtl: '2h',
      maxPendingInvalidations: NaN,
      foreignJson: 'yes',
      cost: { perLoad: -1 },
      near: { maxBytes: -1 },
      spread: true,
    };
    const problems = problemsOf(() => new CacheConfig(wrong as unknown as CacheModuleOptions)).join('\n');
    for (const name of Object.keys(wrong)) expect(problems).toContain(`\`${name}`);
  });

  it('name what is wrong with the defaults, unknown names too, and keep the application from starting', async () => {
    const defaults = { tll: '5m', ttl: '10x' } as unknown as CacheOptions;
    await expect(openNode({}, { defaults })).rejects.toThrow(/`defaults`.*tll[^]*`defaults`.*10x/);
    await expect(openNode({}, { backend: 'redis' })).rejects.toThrow(/required by the cache/);
  });

  it('give each version and each database a space of its own', () => {
    const space = (options: CacheModuleOptions, database: number) => new CacheConfig(options).space(database);
    const spaces = [space({}, 0), space({}, 1), space({ version: '1' }, 0), space({ version: '1' }, 1)];
    expect(new Set(spaces).size).toBe(4);
    expect(space({}, 0)).toBe('app');
  });
});
