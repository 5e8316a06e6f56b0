import { describe, expect, it } from '@jest/globals';
import type { AlgorithmName } from '../algorithms/algorithm.js';
import { ALGORITHMS } from '../algorithms/algorithm.js';
import { windowOf } from './algorithms.js';
import { assertHoldsExpire, assertSettledOnce } from './assertions.js';
import { Bench, type Ask, type OpenedRateLimitStore } from './bench.js';

/** Charges that are settled, given back, or charged regardless. */
export function heldVectors(opened: () => OpenedRateLimitStore): void {
  const limitOf = (algorithm: AlgorithmName, limit = 100): Ask => ({
    policy: 'held',
    limit,
    algorithm,
    ...windowOf(algorithm, 60_000),
  });
  let names = 0;
  const held = (ask: Ask, cost: number, holdMs?: number): Ask & { hold: string } => ({
    ...ask,
    cost,
    hold: `hold-${names++}`,
    ...(holdMs !== undefined && { holdMs }),
  });
  const remaining = async (on: Bench, ask: Ask) => (await on.peek({ ...ask, cost: 0 })).limits[0]!.remaining;

  describe.each(ALGORITHMS)('%s', (algorithm) => {
    const ask = limitOf(algorithm);

    it('41: a charge is settled once', () => assertSettledOnce(opened(), algorithm));

    it('42: what was reserved and not used is given back', async () => {
      const on = await new Bench(opened()).at(0);
      const charge = held(ask, 10);
      expect((await on.consume(charge)).limits[0]!.remaining).toBe(90);
      expect(await on.settle(charge, charge.hold, 3)).toBe(1);
      expect(await remaining(on, ask)).toBe(97);
    });

    it('42: what was reserved and never settled comes back when it expires', () =>
      assertHoldsExpire(opened(), algorithm));

    it('42: more than was reserved is charged even beyond the limit, to one more limit at most', async () => {
      const on = await new Bench(opened()).at(0);
      const [first, second] = [held(ask, 10), held(ask, 40)];
      await on.consume(first);
      await on.consume(second);
      expect(await on.settle(first, first.hold, 60)).toBe(1);
      expect(await remaining(on, ask)).toBe(0);
      expect((await on.consume({ ...ask, ...held(ask, 1) })).allowed).toBe(false);
      expect(await on.settle(second, second.hold, Number.MAX_SAFE_INTEGER)).toBe(1);
      await on.adjust(ask, -199);
      expect(await remaining(on, ask)).toBe(99);
    });

    it('40: what was settled after its window is over changes nothing', async () => {
      const on = await new Bench(opened()).at(0);
      const charge = held(ask, 10);
      await on.consume(charge);
      await on.at(algorithm === 'calendar' ? 86_400 : 120);
      await on.consume(held(ask, 5));
      expect(await on.settle(charge, charge.hold, 0)).toBe(0);
      expect(await remaining(on, ask)).toBe(95);
    });

    it('40: what nobody knows is not settled', async () => {
      const on = await new Bench(opened()).at(0);
      await on.consume(held(ask, 5));
      expect(await on.settle({ ...ask, cost: 5 }, 'nobody', 0)).toBe(0);
      expect(await new Bench(opened()).settle({ ...ask, cost: 5 }, 'nobody', 0)).toBe(0);
      expect(await remaining(on, ask)).toBe(95);
    });

    it('38: what is taken back leaves no trace, and other charges stay', async () => {
      const on = await new Bench(opened()).at(0);
      const charges = [held(ask, 20), held(ask, 30), held(ask, 40)];
      for (const charge of charges) expect((await on.consume(charge)).allowed).toBe(true);
      expect((await on.consume(held(ask, 11))).allowed).toBe(false);
      await on.settle(charges[1]!, charges[1]!.hold, 0);
      expect(await remaining(on, ask)).toBe(40);
      await on.settle(charges[0]!, charges[0]!.hold, 20);
      await on.settle(charges[2]!, charges[2]!.hold, 0);
      expect(await remaining(on, ask)).toBe(80);
    });

    it('18: what is given back is never more than was taken', async () => {
      const on = await new Bench(opened()).at(0);
      const five = limitOf(algorithm, 5);
      expect(await on.adjust(five, -100)).toMatchObject({ allowed: true, remaining: 5, resetAfterMs: 0 });
      await on.consume(held(five, 5));
      expect(await on.adjust(five, -100)).toMatchObject({ allowed: true, remaining: 5, resetAfterMs: 0 });
    });

    it('19: a penalty counts like requests', async () => {
      const on = await new Bench(opened()).at(0);
      const five = limitOf(algorithm, 5);
      expect((await on.adjust(five, 3)).remaining).toBe(2);
      for (const left of [1, 0]) expect((await on.consume(held(five, 1))).limits[0]!.remaining).toBe(left);
      expect((await on.consume(held(five, 1))).limits[0]).toMatchObject({ allowed: false, remaining: 0 });
    });

    it('19: a penalty beyond the limit is a debt of one more limit at most', async () => {
      const on = await new Bench(opened()).at(0);
      const five = limitOf(algorithm, 5);
      expect(await on.adjust(five, Number.MAX_SAFE_INTEGER)).toMatchObject({ allowed: false, remaining: 0 });
      expect((await on.adjust(five, -5)).remaining).toBe(0);
      expect((await on.adjust(five, -2)).remaining).toBe(2);
    });

    it('18: a limit of 0 has nothing to take or to give', async () => {
      const on = await new Bench(opened()).at(0);
      const never = limitOf(algorithm, 0);
      for (const cost of [3, -3]) {
        expect(await on.adjust(never, cost)).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: null });
      }
      expect(await opened().store.reset([on.keyOf(never)])).toBe(0);
    });

    it('remembers a bounded number of charges, and keeps what it forgets', async () => {
      if (algorithm === 'sliding-log' || algorithm === 'concurrency') return; // bounded by the limit
      const on = await new Bench(opened()).at(0);
      const thousand = limitOf(algorithm, 1_000);
      const charges = Array.from({ length: 300 }, () => held(thousand, 1));
      for (const charge of charges) await on.consume(charge);
      let known = 0;
      for (const charge of charges) known += await on.settle(charge, charge.hold, 0);
      expect([known, await remaining(on, thousand)]).toEqual([256, 956]);
    });
  });

  it('42: of what has drained meanwhile nothing is given back twice', async () => {
    const on = await new Bench(opened()).at(0);
    const ask = limitOf('gcra', 60); // one a second
    const charge = held(ask, 10);
    await on.consume(charge);
    await on.at(5);
    await on.consume({ ...ask, cost: 3 });
    await on.settle(charge, charge.hold, 0);
    expect(await remaining(on, ask)).toBe(57); // 5 of the 10 had drained: without it 3 would be used
  });
}
