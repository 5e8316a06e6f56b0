import { algorithmOf, quotaOf, quotaProblem, quotaProblems } from './quota.js';
import { Tiers } from './tiers.js';
import type { LimitOptions } from '../throttle.options.js';

const problemsOf = (options: object) => quotaProblems({ limit: 5, window: '1m', ...options } as LimitOptions);

describe('a quota', () => {
  it.each(['gcra', 'fixed-window', 'sliding-window', 'sliding-log', 'concurrency'] as const)(
    'is counted by %s',
    (algorithm) => {
      expect(problemsOf({ algorithm })).toEqual([]);
      expect(algorithmOf({ limit: 5, window: '1m', algorithm })).toBe(algorithm);
    },
  );

  it('is counted by the calendar when its window is one of it', () => {
    for (const algorithm of [undefined, 'fixed-window', 'calendar']) {
      const options = { limit: 5, window: 'month', timeZone: 'Europe/Berlin', algorithm } as LimitOptions;
      expect(quotaProblems(options)).toEqual([]);
      expect(algorithmOf(options)).toBe('calendar');
      const calendar = { unit: 'month', timeZone: 'Europe/Berlin' };
      expect(quotaOf(options)).toEqual({ limit: 5, windowUs: 31 * 86_400_000_000, calendar });
    }
    const { calendar, windowUs } = quotaOf({ limit: 5, window: 'day' });
    expect([calendar, windowUs]).toEqual([{ unit: 'day', timeZone: 'UTC' }, 86_400_000_000]);
  });

  it.each([
    ['an algorithm nobody knows', { algorithm: 'leaky' }, /algorithm.*'gcra'.*'calendar'.*leaky/],
    ['a day of another algorithm', { window: 'day', algorithm: 'gcra' }, /no `algorithm` with window 'day'.*gcra/],
    ['a week', { window: 'week' }, /window.*week/],
    ['a calendar of seconds', { algorithm: 'calendar' }, /'day' or 'month'/],
    ['a zone nobody knows', { window: 'day', timeZone: 'Mars/Olympus' }, /timeZone.*Mars/],
    ['a zone that is no text', { window: 'day', timeZone: 1 }, /timeZone.*1/],
    ['a zone without a calendar', { timeZone: 'UTC' }, /timeZone.*only/],
    ['a log of too many', { algorithm: 'sliding-log', limit: 10_001 }, /at most 10000.*sliding-log/],
    ['too many slots', { algorithm: 'concurrency', limit: 10_001 }, /at most 10000.*concurrency/],
    ['a product beyond the integers', { algorithm: 'sliding-window', limit: 1e6, window: '366d' }, /2\^50/],
  ])('refuses %s', (_what, options, problem) => {
    expect(problemsOf(options).join()).toMatch(problem);
  });

  it('allows the most that can be counted', () => {
    expect(quotaProblem({ limit: 10_000, windowUs: 1e9 }, 'sliding-log')).toBeUndefined();
    expect(quotaProblem({ limit: 2 ** 20, windowUs: 2 ** 30 * 1_000 }, 'sliding-window')).toBeUndefined();
    expect(quotaProblem({ limit: 2 ** 20 + 1, windowUs: 2 ** 30 * 1_000 }, 'sliding-window')).toMatch(/2\^50/);
  });

  it('of a tier has to fit what counts it', () => {
    const tiers = new Tiers({ free: '100/1h', pro: '20000/1h', all: 'unlimited' }, []);
    expect(tiers.problemsWith('gcra')).toEqual([]);
    expect(tiers.problemsWith('sliding-log').join()).toMatch(/Tier "pro".*10000/);
  });
});
