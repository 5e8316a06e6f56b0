import fc from 'fast-check';
import { ALGORITHMS } from '../algorithms/algorithm.js';
import type { Ask } from './bench.js';

/** A step of a schedule. */
export interface Step {
  /** Since the step before, in µs. */
  readonly afterUs: number;
  readonly cost: number;
}

/** Limits of any algorithm. */
export const asks: fc.Arbitrary<Ask> = fc
  .record({
    policy: fc.constant('property'),
    limit: fc.integer({ min: 1, max: 12 }),
    windowMs: fc.integer({ min: 1, max: 20_000 }),
    algorithm: fc.constantFrom(...ALGORITHMS),
    timeZone: fc.constantFrom('UTC', 'America/New_York', 'Asia/Kathmandu'),
  })
  .map(({ timeZone, ...ask }) =>
    ask.algorithm === 'calendar' ? { ...ask, windowMs: 86_400_000, calendar: { unit: 'day', timeZone } } : ask,
  );

export const schedules = (windowMs: number): fc.Arbitrary<readonly Step[]> =>
  fc.array(
    fc.record({
      afterUs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: windowMs * 700 })),
      cost: fc.oneof(fc.constant(1), fc.integer({ min: 0, max: 5 })),
    }),
    { minLength: 1, maxLength: 15 },
  );
