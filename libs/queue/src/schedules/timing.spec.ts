import { CronExpressionParser } from 'cron-parser';
import { InvalidJobError } from '../queue.errors.js';
import { scheduleOf } from './timing.js';

describe('when a schedule adds jobs', () => {
  it('is in UTC unless it says otherwise', () => {
    expect(scheduleOf('a', { cron: '0 8 * * *' })).toEqual({ pattern: '0 8 * * *', tz: 'UTC' });
    expect(scheduleOf('a', { cron: '*/5 0 8 * * *', timezone: 'Europe/Berlin' }).tz).toBe('Europe/Berlin');
    expect(scheduleOf('a', { every: '10s' })).toEqual({ every: 10_000 });
  });

  it.each([
    ['a negative pause', { every: -5 }],
    ['no pause', { every: 0 }],
    ['a minute that does not exist', { cron: '99 * * * *' }],
    ['a zone that does not exist', { cron: '0 8 * * *', timezone: 'Mars/Base' }],
    ['a day that never comes', { cron: '0 0 30 2 *' }],
    ['nothing', { cron: '' }],
    ['too few fields', { cron: '0 8' }],
    ['neither', {}],
    ['both', { cron: '0 8 * * *', every: '1s' }],
    ['null', null],
    ['a list', []],
    ['a name that does not exist', { cron: '0 8 * * *', tz: 'Europe/Berlin' }],
    ['a zone that is none', { cron: '0 8 * * *', timezone: null }],
    ['a zone for what has none', { every: '1s', timezone: 'Europe/Berlin' }],
    ['a number', 5],
  ] as const)('case 21: is refused with %s', (_, timing) => {
    expect(() => scheduleOf('a', timing as never)).toThrow(InvalidJobError);
  });

  it('takes the zone beside it as well as inside it, but not both', () => {
    const expected = { pattern: '0 8 * * *', tz: 'Europe/Berlin' };
    expect(scheduleOf('a', '0 8 * * *', 'Europe/Berlin')).toEqual(expected);
    expect(scheduleOf('a', { cron: '0 8 * * *' }, 'Europe/Berlin')).toEqual(expected);
    expect(() => scheduleOf('a', { cron: '0 8 * * *', timezone: 'UTC' }, 'Europe/Berlin')).toThrow(InvalidJobError);
    expect(() => scheduleOf('a', { every: '1s' }, 'Europe/Berlin')).toThrow('`timezone`');
  });

  it('names every problem at once', () => {
    const schedule = () => scheduleOf('a:b', { cron: '0 8', timezone: 'Mars/Base', evry: 5 } as never);
    expect(schedule).toThrow(/without colons.*evry.*five or six fields.*time zone/);
  });

  it('is refused with an id that BullMQ takes apart', () => {
    expect(() => scheduleOf('a:b', { every: 5 })).toThrow('without colons');
  });

  it.each([
    [
      'skipped by summer time: right after it',
      '2027-03-27T12:00:00Z',
      '2027-03-28T01:30:00.000Z',
      '2027-03-29T00:30:00.000Z',
    ],
    [
      'twice at its end: the first of them',
      '2026-10-24T12:00:00Z',
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ],
  ])('case 43: half past two in Berlin, %s, once', (_, from, ...expected) => {
    const { pattern, tz } = scheduleOf('a', { cron: '30 2 * * *', timezone: 'Europe/Berlin' });
    const times = CronExpressionParser.parse(pattern!, { tz, currentDate: new Date(from) });
    expect([times.next(), times.next()].map((each) => each.toISOString())).toEqual(expected);
  });
});
