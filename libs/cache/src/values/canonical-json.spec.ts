import { canonicalJson } from './canonical-json.js';

describe('canonical JSON', () => {
  it('is the same for the same value', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: true, u: undefined })).toBe(
      '{"a":true,"b":[1,{"c":"x","d":null}]}',
    );
    expect(canonicalJson(Object.assign(Object.create(null) as object, { a: new Date(0) }))).toBe(
      '{"a":"1970-01-01T00:00:00.000Z"}',
    );
  });

  it('is none for what JSON would write as something else', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    class Point {
      x = 1;
    }
    for (const value of [
      new Map(),
      () => 1,
      Symbol('a'),
      1n,
      NaN,
      new Date(NaN),
      cycle,
      new Point(),
      undefined,
      [undefined],
    ]) {
      expect(canonicalJson(value)).toBeUndefined();
    }
  });
});
