import { show, toMs, type Duration } from './duration.js';

describe('toMs', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['0.5s', 500],
    ['1.1h', 3_960_000],
    [42, 42],
  ] as const)('reads %p as %p ms', (duration, ms) => expect(toMs(duration)).toBe(ms));

  it.each(['', '5', 's', '-1s', '1w', '0s', '0.1ms', 0, -5, 1.5, NaN, Infinity, undefined, null, '9e9d'])(
    'refuses %p and says what it expected',
    (wrong) => expect(() => toMs(wrong as Duration)).toThrow(/Expected a duration such as '30s'/),
  );
});

describe('show', () => {
  it.each([
    ['a', '`"a"` (string)'],
    [NaN, '`NaN` (number)'],
    [null, '`null` (null)'],
    [Symbol('a'), '`Symbol(a)` (symbol)'],
    [Object.create(null), '`[object Object]` (object)'],
  ])('shows %p', (value, text) => expect(show(value)).toBe(text));
});
