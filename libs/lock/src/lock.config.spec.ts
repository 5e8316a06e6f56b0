import { InvalidOptionsError } from '@roost/redis';
import { AcquireDefaults } from './acquire.options.js';
import { LockConfig } from './lock.config.js';
import { InvalidLockOptionsError } from './lock.errors.js';
import type { LockOptions } from './lock.options.js';

describe('LockConfig', () => {
  it.each<[string, LockOptions]>([
    ['wait', { wait: '30d' }],
    ['maxTtl', { maxTtl: '30d' }],
    ['waiterTtl', { waiterTtl: '80d' }],
  ])('refuses a `%s` that no timer can be set for', (name, options) => {
    expect(() => new LockConfig(options)).toThrow(new RegExp(`\`${name}\` to be at most 24 days`));
  });

  it.each<LockOptions>([{ ttl: 99 }, { maxTtl: 50 }, { ttl: '2s', safetyMarginMs: 2_000 }])(
    'refuses %p, which leaves no time to work in',
    (options) => {
      expect(() => new LockConfig(options)).toThrow(InvalidOptionsError);
    },
  );

  it('refuses the same of one call', () => {
    const defaults = new AcquireDefaults(new LockConfig({ safetyMarginMs: 1_000 }));
    expect(() => defaults.resolve({ ttl: '1s' })).toThrow(InvalidLockOptionsError);
    expect(defaults.resolve({ ttl: '2s' })).toMatchObject({ ttlMs: 2_000 });
  });
});
