import { expect } from '@jest/globals';
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
export async function assertExactUnderConcurrency(opened: OpenedRateLimitStore): Promise<void> {
  const bench = await new Bench(opened).at(0);
  const tiers: Ask[] = [
    { policy: 'second', limit: 60, windowMs: 1_000 },
    { policy: 'minute', limit: 50, windowMs: 60_000, algorithm: 'fixed-window' },
    { policy: 'hour', limit: 500, windowMs: 3_600_000 },
  ];
  const verdicts = await Promise.all(Array.from({ length: 300 }, () => bench.consume(...tiers)));
  expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(50);
  const left = await bench.peek(...tiers);
  expect(left.limits.map(({ remaining }) => remaining)).toEqual([10, 0, 450]);
}

/** Who waits as long as told passes when alone, and who comes 1 ms earlier does not. */
export async function assertRetryIsExact(opened: OpenedRateLimitStore): Promise<void> {
  for (const algorithm of ['gcra', 'fixed-window'] as const) {
    const bench = new Bench(opened);
    const ask: Ask = { policy: 'retry', limit: 7, windowMs: 10_007, algorithm };
    for (let i = 0; i < 7; i++) expect((await bench.ask(0.123_456, ask)).allowed).toBe(true);
    const { allowed, retryAfterMs } = await bench.ask(0.123_457, ask);
    expect(allowed).toBe(false);
    expect((await bench.ask(0.123_457 + retryAfterMs! / 1_000 - 0.001, ask)).allowed).toBe(false);
    expect((await bench.ask(0.123_457 + retryAfterMs! / 1_000, ask)).allowed).toBe(true);
  }
}

/** Looking changes nothing. */
export async function assertPeekChangesNothing(opened: OpenedRateLimitStore): Promise<void> {
  const bench = await new Bench(opened).at(0);
  await bench.consume(short);
  const before = await bench.peek(short);
  for (let i = 0; i < 10; i++) await bench.peek({ ...short, cost: i });
  expect(await bench.peek(short)).toEqual(before);
}
