import { UnstorableValueError } from '../cache.errors.js';
import type { Codec } from './codec.js';
import { Codecs } from './codecs.js';
import { freeze } from './freeze.js';

const codecs = new Codecs();
const json = codecs.choose('json');
const v8 = codecs.choose('v8');

describe('codecs', () => {
  it.each([undefined, () => 1, Symbol('x')])('json refuses %p', (value) => {
    expect(() => json.encode(value)).toThrow(UnstorableValueError);
  });

  it.each(['{"__proto__":{"admin":true}}', '{"then":"_function_x","toJSON":"y"}', '[{"constructor":1}]'])(
    '46: json reads %s as plain data',
    (text) => {
      const value = json.decode(Buffer.from(text));
      expect(JSON.stringify(value)).toBe(text);
      expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
    },
  );

  it('48: what json shares is frozen through and through, also below `__proto__`', () => {
    const value = json.share!(json.decode(Buffer.from('{"a":[{"b":{"c":1}}],"__proto__":{"d":{"e":1}}}'))) as Record<
      string,
      never
    >;
    const seen: unknown[] = [value];
    for (const each of seen) {
      expect(Object.isFrozen(each)).toBe(true);
      for (const name of Object.getOwnPropertyNames(each)) {
        const inner = Object.getOwnPropertyDescriptor(each, name)!.value as unknown;
        if (typeof inner === 'object' && inner !== null) seen.push(inner);
      }
    }
    expect(seen).toHaveLength(6);
  });

  it('leaves alone what cannot be changed', () => {
    for (const value of [1, 'x', null, undefined, true]) expect(freeze(value)).toBe(value);
  });

  it('v8 gives each reader a copy, and revives no prototype', () => {
    class Car {
      seats = 4;
    }
    const bytes = v8.encode({ car: new Car(), map: new Map([[1n, new Date(0)]]) });
    const [one, other] = [v8.decode(bytes), v8.decode(bytes)] as { car: object }[];
    expect(one).not.toBe(other);
    expect(one).toEqual(other);
    expect(one!.car).not.toBeInstanceOf(Car);
    expect(() => v8.encode(() => 1)).toThrow(/could not be cloned/);
    expect(() => v8.decode(Buffer.from('no'))).toThrow(/deserialize/);
  });

  it('refuses two codecs of one id: each would read what the other has written', () => {
    const known = new Codecs();
    const mine: Codec = { id: 20, name: 'mine', encode: () => Buffer.alloc(0), decode: () => 1 };
    known.choose(mine);
    expect(() => known.choose({ ...mine, name: 'yours' })).toThrow('20 for mine and yours');
  });

  it('knows a codec from the first time it is chosen, and keeps the first of an id', () => {
    const mine: Codec = { id: 20, name: 'mine', encode: () => Buffer.alloc(0), decode: () => 1 };
    const known = new Codecs();
    expect(known.byId(20)).toBeUndefined();
    expect([known.choose(mine), known.choose({ ...mine }), known.byId(20)]).toEqual([mine, mine, mine]);
    expect([known.byId(1)?.name, known.byId(2)?.name, known.choose().name]).toEqual(['json', 'v8', 'json']);
  });
});
