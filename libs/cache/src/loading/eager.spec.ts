import type { Held } from '../values/held.js';
import { isDue } from './eager.js';

const held = (loadMs: number): Held => ({
  freshUntil: 10_000,
  keptUntil: 10_000,
  loadedAt: 0,
  loadMs,
  tags: [],
  bytes: 0,
  failure: undefined,
  version: '',
  keep: () => {},
  value: () => undefined,
});

/** The same draws each time (mulberry32). */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe('an early load', () => {
  const rate = (loadMs: number, beta: number, restMs: number) => {
    const random = seeded(34);
    const draws = Array.from({ length: 10_000 }, () => isDue({ beta }, held(loadMs), 10_000 - restMs, random));
    return draws.filter(Boolean).length / draws.length;
  };

  // exp(-rest / (beta × load time)); Vattani et al., VLDB 2015.
  it.each([
    [100, 1, 100, 0.368],
    [100, 1, 200, 0.135],
    [100, 2, 200, 0.368],
    [100, 1, 1, 0.99],
    [100, 1, 1_500, 0],
  ])('34: of a load of %i ms with beta %i is due %i ms before the end with probability %f', (...given) => {
    const [loadMs, beta, restMs, expected] = given;
    expect(Math.abs(rate(loadMs, beta, restMs) - expected)).toBeLessThan(0.02);
  });

  it('34: is not due by a draw of 0, and surely by one that is nearly 1', () => {
    for (const loadMs of [0, 100]) expect(isDue({ beta: 1 }, held(loadMs), 9_900, () => 0)).toBe(false);
    expect(isDue({ beta: 1 }, held(100), 9_900, () => 1 - 2 ** -53)).toBe(true);
    expect(isDue({ beta: 1 }, held(0), 9_900, () => 1 - 2 ** -53)).toBe(false);
  });

  it('is due from a share of its lifetime on', () => {
    const at = (now: number) => isDue({ share: 0.9 }, held(100), now);
    expect([0, 8_999, 9_001, 9_999].map(at)).toEqual([false, false, true, true]);
  });
});
