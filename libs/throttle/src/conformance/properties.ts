import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MemoryRateLimitStore } from '../stores/memory-rate-limit.store.js';
import { asks, schedules, type Step } from './arbitraries.js';
import { assertRetryIsExact } from './assertions.js';
import { Bench, EPOCH_US, type Ask, type OpenedRateLimitStore } from './bench.js';

const cases = asks.chain((ask) => fc.record({ ask: fc.constant(ask), steps: schedules(ask.windowMs) }));

/** What holds for any limit and any schedule. */
export function properties(opened: () => OpenedRateLimitStore, runs: number): void {
  const check = (body: (bench: Bench, ask: Ask, steps: readonly Step[]) => Promise<void>) =>
    fc.assert(
      fc.asyncProperty(cases, ({ ask, steps }) => body(new Bench(opened()), ask, steps)),
      { numRuns: runs },
    );

  it('24: no schedule is admitted more than its algorithm allows', () =>
    check(async (bench, ask, steps) => {
      const passed: { us: number; cost: number }[] = [];
      for (const { us, cost } of timed(steps)) {
        const verdict = await bench.ask(us / 1_000_000, { ...ask, cost });
        expect(verdict.remaining).toBeGreaterThanOrEqual(0);
        if (verdict.allowed) passed.push({ us, cost });
      }
      for (const [first, from] of passed.entries()) {
        let sum = 0;
        for (const { us, cost } of passed.slice(first)) {
          sum += cost;
          expect(sum).toBeLessThanOrEqual(mostBetween(ask, from.us, us));
        }
      }
    }));

  it('24: remaining falls by exactly the cost', () =>
    check(async (bench, ask, steps) => {
      for (const { us, cost } of timed(steps)) {
        const before = await bench.ask(us / 1_000_000, ask, 'peek');
        const after = await bench.ask(us / 1_000_000, { ...ask, cost });
        expect(after.remaining).toBe(before.remaining - (after.allowed ? cost : 0));
        expect(after.allowed).toBe(cost <= before.remaining);
      }
    }));

  it('25: who waits as told passes, who comes 1 ms earlier does not', async () => {
    await assertRetryIsExact(opened());
    await check(async (bench, ask, steps) => {
      for (const { us, cost } of timed(steps)) {
        const { allowed, retryAfterMs } = await bench.ask(us / 1_000_000, { ...ask, cost });
        if (allowed || retryAfterMs === null) continue;
        const then = us + retryAfterMs * 1_000;
        expect((await bench.ask((then - 1_000) / 1_000_000, { ...ask, cost }, 'peek')).allowed).toBe(false);
        expect((await bench.ask(then / 1_000_000, { ...ask, cost }, 'peek')).allowed).toBe(true);
      }
    });
  });

  it('45: whatever was charged expires, and not before it is of no use', () =>
    check(async (bench, ask, steps) => {
      const { ttlMs } = bench.opened;
      for (const { us, cost } of timed(steps)) {
        const { allowed, resetAfterMs } = await bench.ask(us / 1_000_000, { ...ask, cost });
        if (!ttlMs || !allowed || cost === 0) continue;
        const left = await ttlMs(bench.keyOf(ask));
        expect(left).toBeGreaterThan(0);
        expect(left).toBeGreaterThanOrEqual(resetAfterMs - 2_000); // real time passes while the store's clock stands
      }
    }));

  it('several limits at once: the same answers as the in-memory store, to the last millisecond', () =>
    fc.assert(
      fc.asyncProperty(fc.array(asks, { minLength: 1, maxLength: 4 }), schedules(5_000), async (tiers, steps) => {
        let nowUs = EPOCH_US;
        const reference = new MemoryRateLimitStore({ nowUs: () => nowUs });
        const bench = new Bench(opened());
        for (const { us, cost } of timed(steps)) {
          nowUs = EPOCH_US + us;
          await bench.at(us / 1_000_000);
          const requests = tiers.map((ask, i) => bench.requestOf({ ...ask, policy: `tier-${i}`, cost }));
          expect(await opened().store.decide(requests, 'consume')).toEqual(await reference.decide(requests, 'consume'));
        }
        reference.close();
      }),
      { numRuns: runs },
    ));
}

function timed(steps: readonly Step[]): { us: number; cost: number }[] {
  let us = 0;
  return steps.map(({ afterUs, cost }) => ({ us: (us += afterUs), cost }));
}

/** The most that may pass from one moment to another, both included: the algorithms' own promise, in other words. */
function mostBetween({ limit, windowMs, algorithm, calendar }: Ask, fromUs: number, toUs: number): number {
  const windowUs = windowMs * 1_000;
  const lasts = toUs - fromUs;
  if (algorithm === 'gcra') return limit + Math.floor(lasts / (windowUs / limit));
  // Nobody gives back here, so that slots last for their lease.
  const eachLasts = algorithm === 'sliding-log' || algorithm === 'concurrency';
  if (eachLasts) return limit * (Math.floor(lasts / windowUs) + 1);
  // A day lasts 23 hours at least, and begins anywhere.
  if (calendar && calendar.timeZone !== 'UTC') return limit * (Math.floor(lasts / (windowUs - 3_600_000_000)) + 2);
  const windows = Math.floor((EPOCH_US + toUs) / windowUs) - Math.floor((EPOCH_US + fromUs) / windowUs) + 1;
  return limit * windows;
}
