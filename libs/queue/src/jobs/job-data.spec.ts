import { JobTooLargeError, NonSerializableError } from '../queue.errors.js';
import { jsonOf } from './job-data.js';

class Money {
  readonly #cents: number;

  constructor(cents: number) {
    this.#cents = cents;
  }

  get cents(): number {
    return this.#cents;
  }
}

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
    ['U+0000 deep down', [{ a: ['x', { 'b.c': '\u0000' }] }], 'data[0].a[1].b.c is a text with U+0000'],
    ['half a character', { a: 'x\ud83d' }, 'data.a is a text with half a character'],
    ['half a character in a name', { a: { 'x\udc00': 1 } }, 'data.a is an object with half a character in a name'],
    ['undefined in a list', { a: [1, undefined] }, 'data.a[1] is undefined'],
    ['a hole in a list', { a: Array(2) }, 'data.a[0] is undefined'],
    ['no date', { at: new Date(NaN) }, 'data.at is a date that does not exist'],
    ['a promise', { a: Promise.resolve(1) }, 'data.a is a Promise'],
    ['an error', { a: new RangeError('x') }, 'data.a is a RangeError'],
    ['an ArrayBuffer', { a: new ArrayBuffer(2) }, 'data.a is a ArrayBuffer'],
    ['shared memory', { a: new SharedArrayBuffer(2) }, 'data.a is a SharedArrayBuffer'],
    ['a WeakMap', { a: new WeakMap() }, 'data.a is a WeakMap'],
    ['a query', { a: new URLSearchParams('a=1') }, 'data.a is a URLSearchParams'],
    ['a boxed symbol', { a: Object(Symbol('x')) as unknown }, 'data.a is a Symbol'],
    ['a boxed number', { a: Object(1) as unknown }, 'data.a is a Number'],
    ['a name that is a symbol', { a: { [Symbol('x')]: 1 } }, 'data.a is an object with a symbol for a name'],
    ['an object that keeps all it has to itself', { a: new Money(5) }, 'data.a is a Money'],
    ['what says itself that it is a Map', { a: { toJSON: () => ({ b: new Map() }) } }, 'data.a.b is a Map'],
  ])('case 22: is refused with %s, which JSON or Postgres would not keep', (_, data, message) => {
    expect(() => jsonOf(data, 1_000)).toThrow(NonSerializableError);
    expect(() => jsonOf(data, 1_000)).toThrow(message);
  });

  it('may be objects of classes with fields: what they get and do is not sent', () => {
    class Base {
      readonly id = 'a';
    }
    class Booking extends Base {
      readonly note = undefined;
      readonly from = { city: 'Köln' };
      get title(): string {
        return `${this.id} in ${this.from.city}`;
      }
    }
    class Empty {}
    const bare = Object.assign(Object.create(null) as object, { a: 1 });
    expect(jsonOf({ booking: new Booking(), empty: new Empty(), bare }, 1_000)).toStrictEqual({
      booking: { id: 'a', from: { city: 'Köln' } },
      empty: {},
      bare: { a: 1 },
    });
  });

  it('may say itself how it is sent, as JSON asks it', () => {
    const asked: unknown[] = [];
    class Point {
      readonly x = 1;
      toJSON(name: unknown) {
        asked.push(name);
        return this;
      }
    }
    const gone = { toJSON: () => undefined };
    const sent = jsonOf({ list: [new Point()], gone, deep: { toJSON: () => ({ at: new Date(0) }) } }, 1_000);
    expect(sent).toStrictEqual({ list: [{ x: 1 }], deep: { at: '1970-01-01T00:00:00.000Z' } });
    expect(new Set(asked)).toEqual(new Set(['0']));
  });

  it('keeps texts that look like an escape, and names that objects have already', () => {
    const data: unknown = JSON.parse('{"a":"\\\\u0000 \\\\ud800 \\ud83d\\ude00","__proto__":{"b":1},"constructor":2}');
    const kept = jsonOf(data, 1_000);
    expect(JSON.stringify(kept)).toBe(JSON.stringify(data));
    expect(Object.getPrototypeOf(kept)).toBe(Object.prototype);
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
