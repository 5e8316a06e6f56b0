import { expect, it } from '@jest/globals';
import { ALGORITHMS } from '../algorithms/algorithm.js';
import { windowOf } from './algorithms.js';
import { assertAllOrNothing, assertExactUnderConcurrency, assertPeekChangesNothing } from './assertions.js';
import { Bench, type Ask, type OpenedRateLimitStore } from './bench.js';

/** Seconds to the next midnight of UTC. */
const MIDNIGHT = 16 * 3_600;

/** The numbered edge cases of research/ratelimit.md §4 that concern a store. */
export function vectors(opened: () => OpenedRateLimitStore): void {
  const bench = () => new Bench(opened());
  const tenInTen: Ask = { policy: 'ten', limit: 10, windowMs: 10_000 };
  const fiveInFive: Ask = { policy: 'five', limit: 5, windowMs: 5_000 };

  async function admitted(on: Bench, seconds: number, ask: Ask, requests: number): Promise<number> {
    await on.at(seconds);
    const verdicts = await Promise.all(Array.from({ length: requests }, () => on.consume(ask)));
    return verdicts.filter(({ allowed }) => allowed).length;
  }

  it('1: fixed windows let twice the limit through around a boundary', async () => {
    const on = bench();
    const ask: Ask = { ...tenInTen, algorithm: 'fixed-window' };
    expect(await admitted(on, 9.999, ask, 11)).toBe(10);
    expect(await admitted(on, 10.001, ask, 11)).toBe(10);
  });

  it('3: gcra does not', async () => {
    const on = bench();
    expect(await admitted(on, 9.999, tenInTen, 10)).toBe(10);
    expect(await on.ask(10.001, tenInTen)).toMatchObject({ allowed: false, retryAfterMs: 998, remaining: 0 });
  });

  it('7–12: the table of redis-cell, 5 at once and 1 a second', async () => {
    const on = bench();
    const ask = (at: number, cost = 1) => on.ask(at, { ...fiveInFive, cost });
    const verdict = (allowed: boolean, remaining: number, resetAfterMs: number, retryAfterMs: number | null = 0) => ({
      allowed,
      remaining,
      retryAfterMs,
      resetAfterMs,
      blocked: false,
    });
    expect(await ask(0, 6)).toEqual(verdict(false, 5, 0, null));
    for (let used = 1; used <= 5; used++) expect(await ask(0)).toEqual(verdict(true, 5 - used, used * 1_000));
    expect(await ask(0)).toEqual(verdict(false, 0, 5_000, 1_000));
    expect(await ask(3)).toEqual(verdict(true, 2, 3_000));
    expect(await ask(3.1)).toEqual(verdict(true, 1, 3_900));
    expect(await ask(4)).toEqual(verdict(true, 1, 4_000));
    expect(await ask(8)).toEqual(verdict(true, 4, 1_000));
    expect(await ask(9.5)).toEqual(verdict(true, 4, 1_000));
    expect(await on.ask(9.5, { ...fiveInFive, cost: 0 }, 'peek')).toEqual(verdict(true, 4, 1_000));
    expect(await ask(9.5, 0)).toEqual(verdict(true, 4, 1_000));
    expect(await ask(9.5, 2)).toEqual(verdict(true, 2, 3_000));
    expect(await ask(9.5, 5)).toEqual(verdict(false, 2, 3_000, 3_000));
  });

  it('11: a peek changes nothing', () => assertPeekChangesNothing(opened()));

  it('13: more than a thousand a second', async () => {
    const on = bench();
    const ask: Ask = { policy: 'fast', limit: 2_000, windowMs: 1_000 };
    expect(await admitted(on, 0, ask, 2_000)).toBe(2_000);
    expect(await on.ask(0, ask)).toMatchObject({ allowed: false, retryAfterMs: 1 });
    expect(await on.ask(0.000_5, ask)).toMatchObject({ allowed: true, remaining: 0 });
  });

  it.each(ALGORITHMS)('14: %s with limit 0 refuses all, and remembers nothing', async (algorithm) => {
    const on = bench();
    const ask: Ask = { policy: 'never', limit: 0, algorithm, ...windowOf(algorithm, 1_000) };
    for (const cost of [0, 1, 5]) {
      const refusal = { allowed: false, remaining: 0, retryAfterMs: null, resetAfterMs: 0, blocked: false };
      expect(await on.ask(0, { ...ask, cost })).toEqual(refusal);
    }
    expect(await opened().store.reset([on.keyOf(ask)])).toBe(0);
  });

  it('15: windows below a second', async () => {
    const on = bench();
    const ask: Ask = { policy: 'half', limit: 2, windowMs: 500 };
    expect(await admitted(on, 0, ask, 3)).toBe(2);
    expect(await on.ask(0.249, ask)).toMatchObject({ allowed: false, retryAfterMs: 1 });
    expect(await on.ask(0.5, ask)).toMatchObject({ allowed: true, remaining: 1, resetAfterMs: 250 });
  });

  it.each(['gcra', 'fixed-window'] as const)('16: %s with a window of 30 days', async (algorithm) => {
    const on = bench();
    const day = 86_400;
    const ask: Ask = { policy: 'month', limit: 1, windowMs: 30 * day * 1_000, algorithm };
    const start = algorithm === 'gcra' ? 0 : Math.ceil(1_800_000_000 / (30 * day)) * 30 * day - 1_800_000_000;
    expect((await on.ask(start, ask)).allowed).toBe(true);
    expect((await on.ask(start + 0.001, ask)).retryAfterMs).toBe(30 * day * 1_000 - 1);
    expect((await on.ask(start + 24.9 * day, ask)).allowed).toBe(false);
    expect((await on.ask(start + 30 * day, ask)).allowed).toBe(true);
  });

  it('17: a cost that does not fit takes nothing, and a smaller one still fits', async () => {
    const on = bench();
    const ask: Ask = { policy: 'bulk', limit: 2_000, windowMs: 3_600_000 };
    expect(await on.ask(0, { ...ask, cost: 1_000 })).toMatchObject({ allowed: true, remaining: 1_000 });
    expect(await on.ask(0, { ...ask, cost: 1_500 })).toMatchObject({ allowed: false, remaining: 1_000 });
    expect(await on.ask(0, { ...ask, cost: 1_000 })).toMatchObject({ allowed: true, remaining: 0 });
  });

  it.each(ALGORITHMS)('21: %s whose limit is lowered below what was used', async (algorithm) => {
    const on = bench();
    const ask: Ask = { policy: 'lowered', limit: 10, algorithm, ...windowOf(algorithm, 10_000) };
    expect(await admitted(on, 0, ask, 10)).toBe(10);
    expect(await on.ask(0, { ...ask, limit: 5 })).toMatchObject({ allowed: false, remaining: 0 });
    const later = { 'sliding-window': 20, calendar: MIDNIGHT }[algorithm as string] ?? 10;
    expect(await on.ask(later, { ...ask, limit: 5 })).toMatchObject({ allowed: true, remaining: 4 });
  });

  it.each([NaN, -1, 0.5, Infinity, 2 ** 53])('26: a cost of %s is an error, and nothing is charged', async (cost) => {
    const on = await bench().at(0);
    const { store } = opened();
    const hold = { id: 'held', expiresMs: null };
    for (const algorithm of ALGORITHMS) {
      const ask: Ask = { policy: 'nonsense', limit: 5, algorithm, ...windowOf(algorithm, 1_000) };
      const request = on.requestOf({ ...ask, cost });
      const good = { ...on.requestOf({ ...ask, policy: 'good' }), hold };
      for (const mode of ['consume', 'peek'] as const) {
        await expect(store.decide([good, { ...request, hold }], mode)).rejects.toThrow(RangeError);
      }
      await expect(store.settle([{ ...request, holdId: 'held', held: 1, cost }])).rejects.toThrow(RangeError);
      if (cost !== -1) await expect(store.adjust([good, request])).rejects.toThrow(RangeError);
      expect(await store.reset([request.key, good.key])).toBe(0);
    }
  });

  it('26: other nonsense is an error, too', async () => {
    const on = await bench().at(0);
    const { store } = opened();
    const request = on.requestOf({ policy: 'nonsense', limit: 5, windowMs: 1_000 });
    const block = { after: 1, forMs: 1_000, withinMs: 1_000, violations: request.key };
    for (const wrong of [
      { hold: { id: 'a b', expiresMs: null } },
      { hold: { id: 'a,b', expiresMs: null } },
      { hold: { id: '', expiresMs: null } },
      { hold: { id: 'a', expiresMs: 0 } },
      { hold: { id: 'a', expiresMs: 0.5 } },
      { limit: NaN },
      { windowUs: 0 },
      { block: { ...block, after: 0 } },
      { block: { ...block, forMs: Infinity } },
      { block: { ...block, withinMs: -1 } },
    ]) {
      await expect(store.decide([{ ...request, ...wrong }], 'consume')).rejects.toThrow(RangeError);
    }
    for (const forMs of [0, -1, NaN, 0.5, 1e13]) {
      await expect(store.block([request.key], forMs)).rejects.toThrow(RangeError);
    }
    await expect(store.decide([{ ...request, algorithm: 'concurrency' }], 'consume')).rejects.toThrow(TypeError);
    await expect(store.settle([{ ...request, holdId: 'a b', held: 1 }])).rejects.toThrow(RangeError);
    expect(await store.reset([request.key])).toBe(0);
  });

  it('34: what the long limit refuses is not charged to the short one', () => assertAllOrNothing(opened()));

  it('35: each limit that objects says so, with its own wait', async () => {
    const on = await bench().at(0);
    const asks: Ask[] = [
      { policy: 'a', limit: 1, windowMs: 5_000 },
      { policy: 'b', limit: 1, windowMs: 60_000, algorithm: 'fixed-window' },
      { policy: 'c', limit: 9, windowMs: 60_000 },
    ];
    await on.consume(...asks);
    const { allowed, limits } = await on.consume(...asks);
    expect(allowed).toBe(false);
    expect(limits.map((limit) => limit.allowed)).toEqual([false, false, true]);
    expect(limits.map(({ retryAfterMs }) => retryAfterMs)).toEqual([5_000, 60_000, 0]);
  });

  it.each(ALGORITHMS)('36: %s is exact under concurrency', (algorithm) =>
    assertExactUnderConcurrency(opened(), algorithm),
  );

  it.each(ALGORITHMS)('51: %s when the clock is set back', async (algorithm) => {
    const on = bench();
    const ask: Ask = { policy: 'back', limit: 3, algorithm, ...windowOf(algorithm, 10_000) };
    expect(await admitted(on, 11, ask, 4)).toBe(3);
    expect(await admitted(on, 6, ask, 4)).toBe(0);
    const later = { 'sliding-window': 30, calendar: MIDNIGHT }[algorithm as string] ?? 21.001;
    expect(await admitted(on, later, ask, 4)).toBe(3);
  });

  it('58: reset forgets the keys it was given, and only those', async () => {
    const on = await bench().at(0);
    const other = await bench().at(0);
    await on.consume(fiveInFive, tenInTen);
    await other.consume(fiveInFive);
    expect(await opened().store.reset([on.keyOf(fiveInFive)])).toBe(1);
    expect((await on.peek(fiveInFive, tenInTen)).limits.map(({ remaining }) => remaining)).toEqual([5, 9]);
    expect((await other.peek(fiveInFive)).limits[0]!.remaining).toBe(4);
    expect(await opened().store.reset([])).toBe(0);
  });
}
