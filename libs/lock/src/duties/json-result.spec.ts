import { UnstorableResultError } from '../lock.errors.js';
import { decodeResult, encodeResult } from './json-result.js';

describe('a result that is kept', () => {
  it.each([
    undefined,
    null,
    true,
    0,
    -1.5,
    '',
    'ä|\0\ud800',
    [],
    [1, [null, { a: [] }]],
    {},
    { a: 1, 'b c': { d: 'e' } },
    Object.assign(Object.create(null) as object, { a: 1 }),
  ])('comes back as it was: %j', (result) => {
    expect(decodeResult(encodeResult(result, 1_000))).toEqual(result);
  });

  it('may have properties that are undefined', () => {
    expect(decodeResult(encodeResult({ a: 1, b: undefined }, 100))).toEqual({ a: 1 });
  });

  const circular: unknown[] = [];
  circular.push(circular);
  it.each([
    [{ a: { at: new Date(0) } }, /the result\.a\.at is a Date/],
    [{ total: 1n }, /the result\.total is a bigint/],
    [[1, undefined], /the result\[1\] is undefined/],
    [Array(1), /the result\[0\] is undefined/],
    [{ a: NaN }, /the result\.a is `NaN`/],
    [{ a: Infinity }, /the result\.a is `Infinity`/],
    [new Map(), /the result is a Map/],
    [Buffer.from('a'), /the result is a Buffer/],
    [() => 1, /the result is a function/],
    [Symbol('a'), /the result is a symbol/],
    [circular, /deeper than 64 levels, or in a circle/],
    [new (class Money {})(), /the result is a Money/],
  ])('is refused where it would come back as something else: %p', (result, problem) => {
    expect(() => encodeResult(result, 1_000)).toThrow(UnstorableResultError);
    expect(() => encodeResult(result, 1_000)).toThrow(problem);
  });

  it('is refused when it is too large, counted in bytes', () => {
    expect(encodeResult('ää', 6)).toBe('"ää"');
    expect(() => encodeResult('ää', 5)).toThrow(/has 6 bytes, 5 at most are kept/);
  });
});
