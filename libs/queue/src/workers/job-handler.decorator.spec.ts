import { InvalidJobError, NonSerializableError } from '../queue.errors.js';
import { JobSchedule, schedulesOf } from './job-handler.decorator.js';

describe('@JobSchedule', () => {
  function declared(...args: Parameters<typeof JobSchedule>) {
    const method = () => undefined;
    JobSchedule(...args)({}, 'digest', { value: method });
    return schedulesOf(method);
  }

  it('declares when, and with what', () => {
    expect(declared('0 8 * * *')).toEqual([{ timing: { cron: '0 8 * * *', timezone: 'UTC' }, data: {} }]);
    expect(declared({ every: '10s' }, { data: { at: new Date(0) } })).toEqual([
      { timing: { every: 10_000 }, data: { at: '1970-01-01T00:00:00.000Z' } }, // as it is kept: it is compared with that
    ]);
  });

  it('takes the zone beside an object, too', () => {
    const [schedule] = declared({ cron: '0 8 * * *' }, { timezone: 'Europe/Berlin' });
    expect(schedule!.timing).toEqual({ cron: '0 8 * * *', timezone: 'Europe/Berlin' });
  });

  it.each([
    ['null', null, 'to be an object'],
    ['a name that does not exist', { timezon: 'UTC' }, 'timezon'],
    ['a zone that does not exist', { timezone: 'Mars/Base' }, 'time zone'],
  ])('is refused with options that are %s', (_, options, message) => {
    expect(() => JobSchedule('0 8 * * *', options as never)).toThrow(InvalidJobError);
    expect(() => JobSchedule('0 8 * * *', options as never)).toThrow(message);
  });

  it('names every problem at once', () => {
    expect(() => JobSchedule('0 8', { timezon: 'UTC' } as never)).toThrow(/timezon.*five or six fields/);
  });

  it('is refused with data that JSON would change', () => {
    expect(() => JobSchedule('0 8 * * *', { data: new Map() })).toThrow(NonSerializableError);
  });
});
