import { bookingRequest } from './bookings.schemas.js';

/** The paths of what is wrong. */
function problemsOf(request: object): string[] {
  const result = bookingRequest.safeParse({ carId: 'car-1', from: '2026-06-01', to: '2026-06-05', ...request });
  return (result.error?.issues ?? []).map(({ path }) => path.join('.'));
}

describe('what a booking may ask for', () => {
  it.each([
    ['one night', { from: '2026-06-01', to: '2026-06-02' }],
    ['the leap day', { from: '2028-02-29', to: '2028-03-01' }],
    ['over a change of clocks', { from: '2026-03-28', to: '2026-03-30' }],
    ['a year', { from: '2026-01-01', to: '2027-01-01' }],
    ['a leap year', { from: '2028-01-01', to: '2029-01-01' }],
    ['the past, which is none of our business', { from: '2001-01-01', to: '2001-01-02' }],
  ])('takes %s', (_, request) => expect(problemsOf(request)).toEqual([]));

  it.each([
    ['no night', { to: '2026-06-01' }, 'to'],
    ['days the wrong way round', { to: '2026-05-31' }, 'to'],
    ['a day that is not', { from: '2026-02-30' }, 'from'],
    ['the leap day of another year', { from: '2027-02-29', to: '2027-03-05' }, 'from'],
    ['a month that is not', { to: '2026-13-01' }, 'to'],
    ['day zero', { from: '2026-06-00' }, 'from'],
    ['a time', { from: '2026-06-01T00:00:00Z' }, 'from'],
    ['a day without its zeros', { from: '2026-6-1' }, 'from'],
    ['spaces', { from: ' 2026-06-01' }, 'from'],
    ['other digits', { from: '２０２６-06-01' }, 'from'],
    ['infinity, which Postgres knows', { to: 'infinity' }, 'to'],
    ['a number', { from: 20260601 }, 'from'],
    ['a day long ago', { from: '1999-12-31' }, 'from'],
    ['a day far off', { to: '2200-01-01' }, 'to'],
    ['more than a year', { from: '2026-01-01', to: '2027-01-03' }, 'to'],
    ['no car', { carId: '' }, 'carId'],
    ['a car of another type', { carId: ['car-1'] }, 'carId'],
  ])('refuses %s', (_, request, path) => expect(problemsOf(request)).toEqual([path]));
});
