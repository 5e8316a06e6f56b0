import { AnswerTimes, reportOf } from './cache.stats.js';

const HOUR_MS = 3_600_000;
const totals = { near: 0, redis: 0, stale: 0, misses: 0, bypassed: 0, ok: 0, failed: 0, fenced: 0, oversize: 0 };
const rest = { near: { entries: 0, bytes: 0, coherent: true }, pendingInvalidations: 0 };

describe('the numbers of a cache', () => {
  function open() {
    let ms = 0;
    let saved = 0;
    const times = new AnswerTimes(
      () => saved,
      () => ms,
    );
    const answer = () => {
      saved++;
      times.cached(ms);
    };
    return { times, answer, pass: (by: number) => void (ms += by), counted: () => saved };
  }

  it('are the five that operators ask for', () => {
    const { times, pass } = open();
    for (let each = 0; each < 4; each++) {
      const beganAt = each * 10;
      pass(10);
      if (each < 3) times.cached(beganAt);
      else times.uncached(beganAt - 70);
    }
    const report = reportOf({
      totals: { ...totals, near: 60, redis: 20, stale: 5, misses: 15, bypassed: 7 },
      times: Object.assign(times, {}),
      cost: { perLoad: 0.02, currency: '€' },
      ...rest,
    });
    expect(report).toMatchObject({
      cache_hit_rate: '85%',
      avg_cache_response_ms: 10,
      avg_uncached_response_ms: 80,
      daily_api_calls_saved: 0,
      estimated_cost_savings: '€0.00/day',
      bypassed: 7,
    });
  });

  it('say nothing of what was never asked, and of a cost that nobody gave', () => {
    const { times } = open();
    const report = reportOf({ totals, times, cost: undefined, ...rest });
    expect(report).toMatchObject({ cache_hit_rate: '0%', avg_cache_response_ms: 0, estimated_cost_savings: null });
  });

  it('count what the last 24 hours did without', () => {
    const { times, answer, pass } = open();
    for (let hour = 0; hour < 30; hour++) {
      answer();
      answer();
      pass(HOUR_MS);
    }
    // This hour is the 31st and has none yet; 23 before it have two each. The first answer of an hour is what begins it.
    expect(Math.abs(times.savedToday - 46)).toBeLessThanOrEqual(1);
    pass(23 * HOUR_MS);
    expect(times.savedToday).toBeLessThanOrEqual(1);
    pass(100 * HOUR_MS);
    expect(times.savedToday).toBe(0);
    answer();
    expect(times.savedToday).toBe(1);
    const cost = { perLoad: 2, currency: '$' };
    expect(reportOf({ totals, times, cost, ...rest }).estimated_cost_savings).toBe('$2.00/day');
  });

  it('time one answer of 64 from this process, for all of them', () => {
    const { times, pass } = open();
    let timed = 0;
    for (let each = 0; each < 128; each++) {
      const beganAt = times.nearBegins();
      pass(2);
      if (beganAt === undefined) continue;
      timed++;
      times.nearEnds(beganAt);
    }
    expect([timed, times.averages.cachedMs]).toEqual([2, 2]);
  });
});
