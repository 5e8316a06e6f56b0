import { JobTooLargeError, NonSerializableError } from '../queue.errors.js';
import { jsonOf } from './job-data.js';

describe('the data of a job', () => {
  it('arrives as JSON has it', () => {
    const data = {
      at: new Date(0),
      list: [1, 'a', null, true],
      skipped: undefined,
      nested: { url: new URL('http://a/') },
    };
    expect(jsonOf(data, 1_000)).toEqual({
      at: '1970-01-01T00:00:00.000Z',
      list: [1, 'a', null, true],
      nested: { url: 'http://a/' },
    });
    expect(jsonOf(undefined, 10)).toEqual({});
    expect(jsonOf([], 10)).toEqual([]);
  });

  it('shares nothing with what the caller goes on changing', () => {
    const data = { list: [1] };
    const kept = jsonOf(data, 100);
    data.list.push(2);
    expect(kept).toEqual({ list: [1] });
  });

  it.each([
    ['a Map', { a: new Map([[1, 2]]) }, 'data.a is a Map'],
    ['a Set', [new Set([1])], 'data[0] is a Set'],
    ['a Buffer', { a: { b: Buffer.from('x') } }, 'data.a.b is a Buffer'],
    ['bytes', { a: new Uint8Array(2) }, 'data.a is a Uint8Array'],
    ['a pattern', { a: /x/ }, 'data.a is a RegExp'],
    ['a function', { a: () => 1 }, 'data.a is a function'],
    ['a symbol', { a: Symbol('x') }, 'data.a is a symbol'],
    ['no number', { a: [1, NaN] }, 'data.a[1] is NaN'],
    ['U+0000', { a: 'x\u0000y' }, 'data.a is a text with U+0000'],
    ['U+0000 in a name', { 'x\u0000y': 1 }, 'an object with U+0000 in a name'],
    ['nothing but a function', () => 1, 'data is a function'],
  ])('case 22: is refused with %s, which JSON or Postgres would not keep', (_, data, message) => {
    expect(() => jsonOf(data, 1_000)).toThrow(NonSerializableError);
    expect(() => jsonOf(data, 1_000)).toThrow(message);
  });

  it('case 22: is refused with a BigInt or a cycle, as JSON refuses it', () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(() => jsonOf({ a: 1n }, 1_000)).toThrow(TypeError);
    expect(() => jsonOf(cycle, 1_000)).toThrow(TypeError);
  });

  it('case 23: is refused when it is too large, in bytes', () => {
    expect(() => jsonOf('x'.repeat(2_000_000), 1_000_000)).toThrow(JobTooLargeError);
    expect(() => jsonOf('ü'.repeat(6), 10)).toThrow('14 bytes');
    expect(jsonOf('x'.repeat(8), 10)).toHaveLength(8);
  });
});
