import { expect, it } from '@jest/globals';
import { Bench, EPOCH_US, type Ask, type OpenedRateLimitStore } from './bench.js';

/** What sets the algorithms with windows apart: their boundaries, and what counts around them. */
export function windowVectors(opened: () => OpenedRateLimitStore): void {
  const bench = () => new Bench(opened());
  const hits = async (on: Bench, seconds: number, ask: Ask, requests: number) => {
    await on.at(seconds);
    const verdicts = await Promise.all(Array.from({ length: requests }, () => on.consume(ask)));
    return verdicts.filter(({ allowed }) => allowed).length;
  };
  const secondsTo = (date: string) => (Date.parse(date) * 1_000 - EPOCH_US) / 1_000_000;

  it('2: a sliding log lets no more through around a boundary', async () => {
    const on = bench();
    const ask: Ask = { policy: 'log', limit: 10, windowMs: 10_000, algorithm: 'sliding-log' };
    expect(await hits(on, 9.999, ask, 10)).toBe(10);
    expect(await hits(on, 10.001, ask, 10)).toBe(0);
    expect(await on.ask(10.001, ask)).toMatchObject({ allowed: false, retryAfterMs: 9_998 }); // at 19.999
  });

  it('4: a hit in a sliding log counts until exactly one window later', async () => {
    const on = bench();
    const ask: Ask = { policy: 'log', limit: 1, windowMs: 10_000, algorithm: 'sliding-log' };
    expect((await on.ask(0, ask)).allowed).toBe(true);
    expect(await on.ask(9.999, ask)).toMatchObject({ allowed: false, retryAfterMs: 1 });
    expect(await on.ask(9.999_999, ask)).toMatchObject({ allowed: false, retryAfterMs: 1 });
    expect((await on.ask(10, ask)).allowed).toBe(true);
  });

  it('5: a sliding window rounds to the strict side (Cloudflare’s example)', async () => {
    const on = bench();
    const ask: Ask = { policy: 'weighted', limit: 50, windowMs: 60_000, algorithm: 'sliding-window' };
    expect(await hits(on, 0, ask, 42)).toBe(42);
    await on.at(60 + 14.999);
    await on.adjust(ask, 18);
    expect(await on.ask(75, ask)).toEqual({
      allowed: false, // 42 × 0.75 + 18 + 1 is 50.5
      remaining: 0,
      retryAfterMs: 715,
      resetAfterMs: 105_000,
      blocked: false,
    });
    expect((await on.ask(75.714, ask)).allowed).toBe(false);
    expect((await on.ask(75.715, ask)).allowed).toBe(true);
  });

  it('5: a sliding window says how long to wait in the next window', async () => {
    const on = bench();
    const ask: Ask = { policy: 'weighted', limit: 50, windowMs: 60_000, algorithm: 'sliding-window' };
    expect(await hits(on, 0, ask, 50)).toBe(50);
    expect(await on.ask(59, ask)).toMatchObject({ allowed: false, retryAfterMs: 1_000 + 1_200 }); // 50 × 0.98 is 49
    expect((await on.ask(61.199, ask)).allowed).toBe(false);
    expect((await on.ask(61.2, ask)).allowed).toBe(true);
    expect(await on.ask(61.2, { ...ask, cost: 50 })).toMatchObject({ allowed: false, retryAfterMs: 118_800 });
    expect((await on.ask(179.999, { ...ask, cost: 50 }, 'peek')).allowed).toBe(false);
    expect((await on.ask(180, { ...ask, cost: 50 }, 'peek')).allowed).toBe(true);
  });

  it('6: a sliding window of one', async () => {
    const on = bench();
    const ask: Ask = { policy: 'single', limit: 1, windowMs: 10_000, algorithm: 'sliding-window' };
    expect((await on.ask(0, ask)).allowed).toBe(true);
    expect((await on.ask(0, ask)).allowed).toBe(false);
  });

  it('18: giving back in a sliding window takes the recent first', async () => {
    const on = bench();
    const ask: Ask = { policy: 'weighted', limit: 10, windowMs: 10_000, algorithm: 'sliding-window' };
    expect(await hits(on, 0, ask, 8)).toBe(8);
    expect(await hits(on, 15, ask, 2)).toBe(2); // 4 and 2
    expect((await on.adjust(ask, -3)).remaining).toBe(7);
    expect((await on.ask(15, ask, 'peek')).resetAfterMs).toBe(5_000); // none is left in the present window
  });

  it('20: a limit that changes keeps what was used', async () => {
    const on = bench();
    const ask = (limit: number): Ask => ({ policy: 'changed', limit, windowMs: 60_000, algorithm: 'fixed-window' });
    const remaining: number[] = [];
    for (const limit of [100, 100, 10, 10, 200]) remaining.push((await on.ask(0, ask(limit))).remaining);
    expect(remaining).toEqual([99, 98, 7, 6, 195]);
  });

  it.each(['fixed-window', 'sliding-window'] as const)(
    '20: %s: a window that gets longer still ends',
    async (algorithm) => {
      const on = bench();
      const ask = (windowMs: number, hold?: string): Ask => ({
        policy: 'changed',
        limit: 10,
        windowMs,
        algorithm,
        hold,
      });
      expect(await hits(on, 0, ask(1_000), 8)).toBe(8);
      await on.ask(0, ask(1_000, 'held'));
      expect((await on.ask(0.5, ask(3_600_000))).allowed).toBe(true);
      expect(await on.ask(0.5, ask(3_600_000))).toMatchObject({ allowed: false, remaining: 0 });
      expect(await on.settle(ask(3_600_000), 'held', 0)).toBe(1);
      expect((await on.ask(0.5, ask(3_600_000))).allowed).toBe(true);
      const ttlMs = await on.opened.ttlMs?.(on.keyOf(ask(3_600_000)));
      if (ttlMs !== undefined) expect(ttlMs).toBeLessThanOrEqual(7_200_000 + 60_000);
      expect(await on.ask(7_200, ask(3_600_000), 'peek')).toMatchObject({ remaining: 10, resetAfterMs: 0 });
    },
  );

  it.each([
    ['25', '2027-10-31', 90_000],
    ['23', '2027-03-28', 82_800],
    ['24', '2027-07-01', 86_400],
  ])('22: a day of %s hours in Berlin (%s)', async (_hours, date, lasts) => {
    const on = bench();
    const calendar = { unit: 'day', timeZone: 'Europe/Berlin' } as const;
    const ask: Ask = { policy: 'daily', limit: 2, windowMs: 86_400_000, algorithm: 'calendar', calendar };
    const midnight = secondsTo(`${date}T00:00:00${date === '2027-03-28' ? '+01:00' : '+02:00'}`);
    expect((await on.ask(midnight - 0.001, ask)).resetAfterMs).toBe(1);
    expect(await on.ask(midnight, ask)).toMatchObject({ remaining: 1, resetAfterMs: lasts * 1_000 });
    expect((await on.ask(midnight + lasts - 0.001, ask)).remaining).toBe(0);
    expect(await on.ask(midnight + lasts - 0.001, ask)).toMatchObject({ allowed: false, retryAfterMs: 1 });
    expect((await on.ask(midnight + lasts, ask)).remaining).toBe(1);
  });

  it('22: a day whose midnight comes twice begins at the first', async () => {
    const on = bench();
    const calendar = { unit: 'day', timeZone: 'America/Havana' } as const; // 1:00 is 0:00 again
    const ask: Ask = { policy: 'daily', limit: 9, windowMs: 86_400_000, algorithm: 'calendar', calendar };
    const midnight = secondsTo('2027-11-07T00:00:00-04:00');
    const remaining: number[] = [];
    for (const after of [-1, 0, 1_800, 3_600, 5_400, 89_999, 90_000]) {
      remaining.push((await on.ask(midnight + after, ask)).remaining);
    }
    expect(remaining).toEqual([8, 8, 7, 6, 5, 4, 8]);
  });

  it('23: a month ends with its last millisecond', async () => {
    const on = bench();
    const calendar = { unit: 'month', timeZone: 'UTC' } as const;
    const ask: Ask = { policy: 'monthly', limit: 5, windowMs: 31 * 86_400_000, algorithm: 'calendar', calendar };
    await on.ask(secondsTo('2027-01-31T23:59:59.998Z'), ask);
    expect((await on.ask(secondsTo('2027-01-31T23:59:59.999Z'), ask)).remaining).toBe(3);
    expect(await on.ask(secondsTo('2027-02-01T00:00:00Z'), ask)).toMatchObject({
      remaining: 4,
      resetAfterMs: 28 * 86_400_000,
    });
  });

  it('22: years later, and when the clock is set back, the calendar is looked up anew', async () => {
    const on = bench();
    const calendar = { unit: 'day', timeZone: 'Asia/Kolkata' } as const;
    const ask: Ask = { policy: 'daily', limit: 5, windowMs: 86_400_000, algorithm: 'calendar', calendar };
    const noon = secondsTo('2027-06-01T12:00:00+05:30');
    expect(await on.ask(noon, ask)).toMatchObject({ remaining: 4, resetAfterMs: 43_200_000 });
    expect(await on.ask(noon + 10 * 366 * 86_400, ask)).toMatchObject({ remaining: 4, resetAfterMs: 43_200_000 });
    expect(await on.ask(noon, ask)).toMatchObject({ remaining: 3, resetAfterMs: 43_200_000 }); // the future counts
  });

  it('85: slots are free when given back, or when their lease ends', async () => {
    const on = bench();
    const ask = (hold: string): Ask => ({
      policy: 'slots',
      limit: 5,
      windowMs: 30_000,
      algorithm: 'concurrency',
      hold,
    });
    for (let i = 0; i < 5; i++) expect((await on.ask(i, ask(`s${i}`))).allowed).toBe(true);
    expect(await on.ask(5, ask('more'))).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 25_000 });
    expect(await on.settle(ask('s4'), 's4', 0)).toBe(1);
    expect(await on.settle(ask('s4'), 's4', 0)).toBe(0);
    expect((await on.ask(5, ask('more'))).allowed).toBe(true);
    await on.at(20);
    expect([await on.renew(ask('s0'), 's0'), await on.renew(ask('s4'), 's4')]).toEqual([1, 0]);
    expect(await on.ask(30, ask('later'))).toMatchObject({ allowed: false, retryAfterMs: 1_000 }); // s1 at 31
    expect(await on.ask(32, ask('later'))).toMatchObject({ allowed: true, remaining: 1 }); // s1 and s2 are gone
    expect(await on.ask(49.999, ask('later'), 'peek')).toMatchObject({ remaining: 3 }); // s0 and later
    expect(await on.ask(62, ask('x'), 'peek')).toMatchObject({ remaining: 5, resetAfterMs: 0 });
    expect(await on.renew(ask('s0'), 's0')).toBe(0);
  });

  it('85: a request may take several slots', async () => {
    const on = await bench().at(0);
    const ask = (hold: string, cost: number): Ask => ({
      policy: 'slots',
      limit: 10,
      windowMs: 30_000,
      algorithm: 'concurrency',
      hold,
      cost,
    });
    expect((await on.consume(ask('a', 7))).limits[0]!.remaining).toBe(3);
    expect((await on.consume(ask('b', 4))).limits[0]).toMatchObject({ allowed: false, retryAfterMs: 30_000 });
    expect(await on.settle(ask('a', 7), 'a', 2)).toBe(1);
    expect((await on.consume(ask('b', 8))).allowed).toBe(true);
    expect(await on.settle(ask('b', 8), 'b', 0)).toBe(1);
    expect((await on.ask(29.999, ask('none', 0), 'peek')).remaining).toBe(8);
    expect((await on.ask(30, ask('none', 0), 'peek')).remaining).toBe(10);
  });
}
