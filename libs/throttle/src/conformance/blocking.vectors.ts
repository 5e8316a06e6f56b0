import { describe, expect, it } from '@jest/globals';
import type { AlgorithmName } from '../algorithms/algorithm.js';
import { ALGORITHMS } from '../algorithms/algorithm.js';
import { windowOf } from './algorithms.js';
import { assertBlocksDoNotExtend } from './assertions.js';
import { Bench, type Ask, type OpenedRateLimitStore } from './bench.js';

/** Subjects that are refused without counting, after refusals or by decree. */
export function blockingVectors(opened: () => OpenedRateLimitStore): void {
  let names = 0;
  const limitOf = (algorithm: AlgorithmName, rest: Partial<Ask> = {}): Ask => ({
    policy: 'blocked',
    limit: 2,
    algorithm,
    ...windowOf(algorithm, 10_000),
    ...rest,
  });
  const hit = (on: Bench, seconds: number, ask: Ask) => on.ask(seconds, { ...ask, hold: `hit-${names++}` });

  describe.each(ALGORITHMS)('%s', (algorithm) => {
    const rule = { after: 3, forMs: 60_000, withinMs: 3_600_000 };
    const ask = limitOf(algorithm, { block: rule });

    it('30: refusals while blocked do not count and do not extend', () => assertBlocksDoNotExtend(opened(), algorithm));

    it('28: so many refusals block; afterwards the limit starts anew', async () => {
      const on = new Bench(opened());
      for (let i = 0; i < 2; i++) expect((await hit(on, 0, ask)).allowed).toBe(true);
      for (let i = 1; i < 3; i++) {
        expect(await hit(on, 1, ask)).toMatchObject({ allowed: false, blocked: false });
        expect(await on.violations(ask)).toBe(i);
      }
      const block = { allowed: false, blocked: true, remaining: 0 };
      expect(await hit(on, 1, ask)).toEqual({ ...block, retryAfterMs: 60_000, resetAfterMs: 60_000 });
      expect(await on.ask(60.999, ask, 'peek')).toEqual({ ...block, retryAfterMs: 1, resetAfterMs: 1 });
      expect(await hit(on, 61, ask)).toMatchObject({ allowed: true, remaining: 1, blocked: false });
      expect(await on.violations(ask)).toBe(3);
    });

    it('refusals are forgotten some time after the last', async () => {
      const on = new Bench(opened());
      const brief = limitOf(algorithm, { limit: 1, block: { ...rule, withinMs: 2_000 } });
      await hit(on, 0, brief);
      await hit(on, 0, brief);
      await hit(on, 1.999, brief);
      expect(await on.violations(brief)).toBe(2);
      await on.at(3.999);
      expect(await on.violations(brief)).toBe(0);
      expect(await hit(on, 4, brief)).toMatchObject({ allowed: false, blocked: false });
      expect(await on.violations(brief)).toBe(1);
    });

    it('peeks, and refusals by other limits, are no violations', async () => {
      const on = new Bench(opened());
      await hit(on, 0, ask);
      await hit(on, 0, ask);
      await on.ask(0, ask, 'peek');
      await on.ask(0, { ...ask, cost: 0 });
      const other = limitOf(algorithm, { policy: 'other', limit: 9, block: rule, hold: 'other' });
      await on.consume({ ...ask, hold: 'third' }, other);
      expect([await on.violations(ask), await on.violations(other)]).toEqual([1, 0]);
    });

    it('a block by decree lasts as long as it says, whatever was counted', async () => {
      const on = await new Bench(opened()).at(0);
      const key = on.keyOf(ask);
      await on.consume({ ...ask, hold: 'before' });
      await opened().store.block([key], 5_000);
      expect(await hit(on, 0, ask)).toMatchObject({ allowed: false, blocked: true, retryAfterMs: 5_000 });
      expect(await on.settle(ask, 'before', 0)).toBe(0);
      expect(await on.adjust(ask, -1)).toMatchObject({ allowed: false, blocked: true });
      expect(await on.ask(5, ask, 'peek')).toMatchObject({ allowed: true, remaining: 2 });
      expect(await hit(on, 5, ask)).toMatchObject({ allowed: true, remaining: 1 });
    });

    it('lifting a block starts the limit anew, and leaves alone what is none', async () => {
      const on = await new Bench(opened()).at(0);
      const other = limitOf(algorithm, { policy: 'counted' });
      await on.consume({ ...other, hold: 'one' });
      await opened().store.block([on.keyOf(ask)], 5_000);
      expect(await opened().store.unblock([on.keyOf(ask), on.keyOf(other)])).toBe(1);
      expect(await opened().store.unblock([on.keyOf(ask), on.keyOf(other)])).toBe(0);
      expect((await on.peek(ask)).limits[0]).toMatchObject({ allowed: true, remaining: 2 });
      expect((await on.peek(other)).limits[0]).toMatchObject({ allowed: true, remaining: 1 });
    });

    it('16: a block of thirty years', async () => {
      const on = await new Bench(opened()).at(0);
      await opened().store.block([on.keyOf(ask)], 1e12);
      for (const seconds of [0.001, 24.9 * 86_400, 1e9 - 1]) {
        expect(await on.ask(seconds, ask, 'peek')).toMatchObject({ allowed: false, blocked: true });
      }
      expect(await on.ask(1e9, ask, 'peek')).toMatchObject({ allowed: true, blocked: false });
    });
  });

  it('14: a limit of 0 counts no violations', async () => {
    const on = await new Bench(opened()).at(0);
    const never = limitOf('gcra', { limit: 0, block: { after: 1, forMs: 1_000, withinMs: 1_000 } });
    expect((await on.consume(never)).limits[0]).toMatchObject({ allowed: false, blocked: false, retryAfterMs: null });
    expect(await on.violations(never)).toBe(0);
  });

  it('reads and lifts nothing when asked for nothing', async () => {
    const { store } = opened();
    expect(await store.violations([])).toEqual([]);
    expect(await store.unblock([])).toBe(0);
    expect(await store.settle([])).toBe(0);
    expect(await store.renew([])).toBe(0);
    expect(await store.adjust([])).toEqual([]);
    await store.block([], 1_000);
  });
}
