import { Breaker, BREAKER_DEFAULTS, type BreakerOptions } from './breaker.js';

function breakerAt(options: Partial<BreakerOptions> = {}) {
  const clock = { now: 1_000_000 };
  const moves: string[] = [];
  const breaker = new Breaker(
    { ...BREAKER_DEFAULTS, ...options },
    () => clock.now,
    (from, to) => moves.push(`${from} → ${to}`),
  );
  breaker.close();
  moves.length = 0;
  return { breaker, clock, moves };
}

/** Good probes, 100 ms apart, until traffic ramps up; how long that took. */
function recover({ breaker, clock }: ReturnType<typeof breakerAt>): number {
  const from = clock.now;
  while (breaker.state === 'open' && clock.now - from < 600_000) {
    clock.now += 100;
    breaker.probed();
  }
  return clock.now - from;
}

describe('Breaker', () => {
  it('starts open, so that nothing waits for a Redis that was never seen', () => {
    const breaker = new Breaker(
      BREAKER_DEFAULTS,
      () => 0,
      () => undefined,
    );
    expect([breaker.state, breaker.reason, breaker.percent]).toEqual(['open', 'connecting', 0]);
  });

  it('opens at the fifth failure in a row, and a success in between starts the count anew', () => {
    const { breaker } = breakerAt();
    for (let i = 0; i < 4; i++) breaker.failed('unreachable');
    breaker.succeeded(1);
    for (let i = 0; i < 4; i++) breaker.failed('timeout');
    expect(breaker.state).toBe('closed');
    breaker.failed('timeout');
    expect([breaker.state, breaker.reason]).toEqual(['open', 'timeout']);
  });

  it('opens when half of at least 20 calls in 10 s failed, though never five in a row', () => {
    const { breaker } = breakerAt();
    for (let i = 0; i < 9; i++) {
      breaker.succeeded(1);
      breaker.failed('timeout');
    }
    breaker.succeeded(1);
    expect(breaker.state).toBe('closed');
    breaker.failed('timeout');
    expect(breaker.state).toBe('open');
  });

  it('forgets failures older than 10 s', () => {
    const { breaker, clock } = breakerAt();
    for (let i = 0; i < 9; i++) {
      breaker.succeeded(1);
      breaker.failed('timeout');
    }
    clock.now += 11_000;
    breaker.succeeded(1);
    breaker.failed('timeout');
    expect(breaker.state).toBe('closed');
  });

  it('opens when half of the calls are slow, although all of them succeed', () => {
    const { breaker } = breakerAt({ slowCallMs: 200 });
    for (let i = 0; i < 10; i++) breaker.succeeded(5);
    for (let i = 0; i < 10; i++) breaker.succeeded(220);
    expect(breaker.state).toBe('open');
  });

  it('closes only after three good probes in a row and the minimum time', () => {
    const at = breakerAt();
    at.breaker.trip('timeout');
    at.clock.now += 10_000;
    at.breaker.probed();
    at.breaker.probed();
    at.breaker.trip('timeout');
    at.breaker.probed();
    at.breaker.probed();
    expect(at.breaker.state).toBe('open');
    at.breaker.probed();
    expect(at.breaker.state).toBe('ramping');
  });

  it('ramps up by 10, 50 and 100 % and is closed only then', () => {
    const at = breakerAt();
    at.breaker.trip('timeout');
    recover(at);
    const percents = [0, 499, 500, 999, 1_000].map((ms) => {
      const from = at.clock.now;
      at.clock.now += ms;
      at.breaker.settle();
      const { percent } = at.breaker;
      if (ms < 1_000) at.clock.now = from;
      return percent;
    });
    expect(percents).toEqual([10, 10, 50, 50, 100]);
    expect(at.moves).toEqual(['closed → open', 'open → ramping', 'ramping → closed']);
  });

  it('opens again at once when traffic fails while it ramps up', () => {
    const at = breakerAt();
    at.breaker.trip('timeout');
    recover(at);
    for (let i = 0; i < 5; i++) at.breaker.failed('timeout');
    expect(at.breaker.state).toBe('open');
  });

  it('stays open longer each time it flaps within a minute, up to the recheck time', () => {
    const at = breakerAt({ maximumOpenMs: 5_000 });
    const outages = Array.from({ length: 6 }, () => {
      at.breaker.trip('timeout');
      const lasted = recover(at);
      at.clock.now += 1_000;
      at.breaker.settle();
      at.clock.now += 1_000;
      return lasted;
    });
    expect(outages).toEqual([1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
    at.clock.now += 61_000;
    at.breaker.trip('timeout');
    expect(recover(at)).toBe(500);
  });

  it('stays open longer when it opens again under the ramp', () => {
    const at = breakerAt();
    const outages = Array.from({ length: 4 }, () => {
      at.breaker.trip('timeout');
      return recover(at);
    });
    expect(outages).toEqual([1_000, 2_000, 4_000, 5_000]);
  });

  it('asks for probes soon while some are missing, and not through a long hold', () => {
    const { breaker } = breakerAt();
    breaker.trip('quota');
    expect([breaker.probed(), breaker.probed(), breaker.probed(), breaker.probed()]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('leaves a used-up quota alone for a minute', () => {
    const at = breakerAt();
    at.breaker.trip('quota');
    expect(recover(at)).toBe(60_000);
  });
});
