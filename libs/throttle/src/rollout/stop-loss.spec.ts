import { resolveStopLoss, StopLoss, type StopLossTrip } from './stop-loss.js';

function setUp(limits: { p95Ms: number; overMs: number } | undefined = { p95Ms: 300, overMs: 60_000 }) {
  let now = 5_000;
  const trips: StopLossTrip[] = [];
  const stopLoss = new StopLoss(
    limits,
    (trip) => trips.push(trip),
    () => now,
  );
  /** One check every so often, of which each `slowEach`th is slow. */
  const load = (forMs: number, { everyMs = 100, slowEach = Infinity, ms = 300 } = {}) => {
    const endsAt = now + forMs;
    for (let i = 1; now < endsAt; i++, now += everyMs) stopLoss.took(i % slowEach === 0 ? ms : 2);
  };
  return { stopLoss, trips, load, pass: (ms: number) => void (now += ms) };
}

describe('StopLoss', () => {
  it('trips when the 95th percentile was too high all the time, and says by how much', () => {
    const { trips, load } = setUp();
    load(59_000, { slowEach: 10 });
    expect(trips).toEqual([]);
    load(12_000, { slowEach: 10 });
    expect(trips).toEqual([{ at: expect.any(Date), p95Ms: 300, overMs: 60_000, checks: 600, slow: 60 }]);
  });

  it('is exact at the edge: five slow ones of a hundred are allowed, six are not', () => {
    const five = setUp({ p95Ms: 300, overMs: 6_000 });
    five.load(60_000, { everyMs: 10, slowEach: 20 });
    expect(five.trips).toEqual([]);
    const more = setUp({ p95Ms: 300, overMs: 6_000 });
    more.load(60_000, { everyMs: 10, slowEach: 16 });
    expect(more.trips).toHaveLength(1);
  });

  it('takes what was given up at its deadline for slow, however short the deadline', () => {
    const { trips, load } = setUp();
    load(75_000, { slowEach: 5, ms: Infinity });
    expect(trips).toHaveLength(1);
  });

  it('forgives what did not last', () => {
    const { trips, load } = setUp();
    for (let i = 0; i < 10; i++) {
      load(45_000, { slowEach: 2 });
      load(15_000);
    }
    expect(trips).toEqual([]);
  });

  it('forgets what was slow long ago', () => {
    const { trips, load, pass } = setUp();
    for (let i = 0; i < 10; i++) {
      load(15_000, { slowEach: 2 });
      pass(90_000);
    }
    expect(trips).toEqual([]);
  });

  it('says nothing by fewer than 20 checks', () => {
    const { trips, load } = setUp();
    load(75_000, { everyMs: 5_000, slowEach: 1 });
    expect(trips).toEqual([]);
    load(60_000, { everyMs: 5_000, slowEach: 1 });
    expect(trips).toHaveLength(1);
  });

  it('trips once, until it is reset', () => {
    const { stopLoss, trips, load } = setUp();
    load(600_000, { slowEach: 2 });
    expect([trips.length, stopLoss.trip]).toEqual([1, trips[0]]);
    stopLoss.reset();
    expect(stopLoss.trip).toBeUndefined();
    load(50_000, { slowEach: 2 });
    expect(trips).toHaveLength(1);
    load(30_000, { slowEach: 2 });
    expect(trips).toHaveLength(2);
  });

  it('never trips when it is off', () => {
    const { stopLoss, trips } = setUp(undefined);
    const off = new StopLoss(undefined, (trip) => trips.push(trip));
    for (let i = 0; i < 100; i++) off.took(Infinity);
    expect([stopLoss.trip, trips]).toEqual([undefined, []]);
  });
});

describe('the option `stopLoss`', () => {
  const read = (options: unknown) => {
    const problems: string[] = [];
    return [resolveStopLoss(options as undefined, problems), problems] as const;
  };

  it('is 300 ms over a minute unless told otherwise', () => {
    expect(read(undefined)[0]).toEqual({ p95Ms: 300, overMs: 60_000 });
    expect(read({ p95: '1s', over: '5m' })[0]).toEqual({ p95Ms: 1_000, overMs: 300_000 });
    expect(read(false)).toEqual([undefined, []]);
  });

  it.each([true, {}, null, { p95: 'soon' }, { p95: '1s', over: -1 }])('cannot be %p', (options) => {
    expect(read(options)[1].join()).toMatch(/stopLoss/);
  });
});
