import { expect } from '@jest/globals';
import type { AlgorithmName } from '../algorithms/algorithm.js';
import { ALGORITHMS } from '../algorithms/algorithm.js';
import { windowOf } from './algorithms.js';
import { Bench, type Ask, type OpenedRateLimitStore } from './bench.js';

// The promises that stores are most likely to break, as functions: `conformance.spec.ts` shows that each of them fails
// for a store that breaks it.

const short: Ask = { policy: 'short', limit: 5, windowMs: 10_000 };
const long: Ask = { policy: 'long', limit: 1, windowMs: 60_000 };

/** What one limit refuses is charged to none. */
export async function assertAllOrNothing(opened: OpenedRateLimitStore): Promise<void> {
  const bench = await new Bench(opened).at(0);
  const remaining: number[] = [];
  for (let i = 0; i < 3; i++) remaining.push((await bench.consume(short, long)).limits[0]!.remaining);
  expect(remaining).toEqual([4, 4, 4]);
  expect((await bench.peek(short)).limits[0]!.remaining).toBe(4);
}

/** Of many requests at once exactly as many pass as the limit says, and each limit is charged for exactly those. */
export async function assertExactUnderConcurrency(
  opened: OpenedRateLimitStore,
  algorithm: AlgorithmName = 'fixed-window',
): Promise<void> {
  const bench = await new Bench(opened).at(0);
  const tiers: Ask[] = [
    { policy: 'second', limit: 60, windowMs: 1_000 },
    { policy: 'minute', limit: 50, algorithm, ...windowOf(algorithm, 60_000) },
    { policy: 'hour', limit: 500, windowMs: 3_600_000 },
  ];
  const verdicts = await Promise.all(
    Array.from({ length: 300 }, (_, i) => bench.consume(tiers[0]!, { ...tiers[1]!, hold: `one-${i}` }, tiers[2]!)),
  );
  expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(50);
  const left = await bench.peek(...tiers);
  expect(left.limits.map(({ remaining }) => remaining)).toEqual([10, 0, 450]);
  const alone = await new Bench(opened).at(0);
  const passed = await Promise.all(Array.from({ length: 300 }, () => alone.consume(tiers[1]!)));
  expect(passed.filter(({ allowed }) => allowed)).toHaveLength(50);
}

/** Who waits as long as told passes when alone, and who comes 1 ms earlier does not. */
export async function assertRetryIsExact(
  opened: OpenedRateLimitStore,
  among: readonly AlgorithmName[] = ALGORITHMS,
): Promise<void> {
  for (const algorithm of among) {
    for (const cost of [1, 3, 7]) {
      await assertRetryOfOne(opened, algorithm, cost, (name) => name);
      if (algorithm !== 'concurrency') await assertRetryOfOne(opened, algorithm, cost, () => undefined);
    }
  }
}

async function assertRetryOfOne(
  opened: OpenedRateLimitStore,
  algorithm: AlgorithmName,
  cost: number,
  holdOf: (name: string) => string | undefined,
): Promise<void> {
  const bench = new Bench(opened);
  const ask: Ask = { policy: 'retry', limit: 7, algorithm, ...windowOf(algorithm, 10_007) };
  for (let i = 0; i < 7; i++) {
    expect((await bench.ask(0.123_456 + i / 100, { ...ask, hold: holdOf(`before-${i}`) })).allowed).toBe(true);
  }
  const next = { ...ask, cost, hold: holdOf('next') };
  const { allowed, retryAfterMs } = await bench.ask(0.223_457, next);
  expect(allowed).toBe(false);
  expect((await bench.ask(0.223_457 + retryAfterMs! / 1_000 - 0.001, next)).allowed).toBe(false);
  expect((await bench.ask(0.223_457 + retryAfterMs! / 1_000, next)).allowed).toBe(true);
}

/** Looking changes nothing. */
export async function assertPeekChangesNothing(opened: OpenedRateLimitStore): Promise<void> {
  const bench = await new Bench(opened).at(0);
  await bench.consume(short);
  const before = await bench.peek(short);
  for (let i = 0; i < 10; i++) await bench.peek({ ...short, cost: i });
  expect(await bench.peek(short)).toEqual(before);
}

/** A charge is settled once; whoever settles it again changes nothing. */
export async function assertSettledOnce(
  opened: OpenedRateLimitStore,
  algorithm: AlgorithmName = 'gcra',
): Promise<void> {
  for (const kept of [0, 4, 10, 12]) {
    const bench = await new Bench(opened).at(0);
    const ask: Ask = { policy: 'once', limit: 100, algorithm, ...windowOf(algorithm, 60_000) };
    const remaining = async () => (await bench.peek({ ...ask, cost: 0 })).limits[0]!.remaining;
    await bench.consume({ ...ask, cost: 30, hold: 'other' });
    await bench.consume({ ...ask, cost: 10, hold: 'once' });
    const settle = (cost: number) => bench.settle({ ...ask, cost: 10 }, 'once', cost);
    expect(await settle(kept)).toBe(1);
    expect(await remaining()).toBe(70 - kept);
    for (const cost of [0, 4, 10, 12]) expect(await settle(cost)).toBe(0);
    expect(await remaining()).toBe(70 - kept);
  }
}

/** A charge that nobody settles is taken back when it expires, not before and not twice; one that cannot expire stays. */
export async function assertHoldsExpire(
  opened: OpenedRateLimitStore,
  algorithm: AlgorithmName = 'gcra',
): Promise<void> {
  const bench = await new Bench(opened).at(0);
  // A day or so for one request: what drains within the test is none.
  const ask: Ask = { policy: 'expiry', limit: 100, algorithm, ...windowOf(algorithm, 8_640_000_000) };
  const remaining = async (seconds: number) => (await bench.ask(seconds, { ...ask, cost: 0 }, 'peek')).remaining;
  await bench.consume({ ...ask, cost: 1, hold: 'lasting' });
  await bench.consume({ ...ask, cost: 10, hold: 'brief', holdMs: 5_000 });
  const leased = algorithm === 'concurrency'; // the lease decides
  expect(await remaining(4.999)).toBe(89);
  expect(await remaining(5)).toBe(leased ? 89 : 99);
  await bench.consume({ ...ask, cost: 2, hold: 'later' });
  expect(await remaining(5)).toBe(leased ? 87 : 97);
  expect(await bench.settle({ ...ask, cost: 10 }, 'brief', 0)).toBe(leased ? 1 : 0);
  expect(await remaining(5)).toBe(97);
  expect(await bench.settle({ ...ask, cost: 1 }, 'lasting', 0)).toBe(1);
  expect(await remaining(6)).toBe(98);
}

/** Refusals while blocked neither count nor make the block longer. */
export async function assertBlocksDoNotExtend(
  opened: OpenedRateLimitStore,
  algorithm: AlgorithmName = 'gcra',
): Promise<void> {
  const bench = new Bench(opened);
  const block = { after: 1, forMs: 60_000, withinMs: 3_600_000 };
  const ask: Ask = { policy: 'blocked', limit: 1, algorithm, ...windowOf(algorithm, 10_000), block };
  let name = 0;
  const hit = (seconds: number) => bench.ask(seconds, { ...ask, hold: `hit-${name++}` });
  expect((await hit(0)).allowed).toBe(true);
  for (let second = 0; second < 60; second += 7) {
    expect(await hit(second)).toMatchObject({ blocked: true, retryAfterMs: 60_000 - second * 1_000 });
  }
  expect(await bench.violations(ask)).toBe(1);
  expect(await hit(60)).toMatchObject({ allowed: true, blocked: false });
}
