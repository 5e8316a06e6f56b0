import { InvalidKeyError } from '@roost/redis';
import fc from 'fast-check';
import { cacheKey } from './cache-key.js';

describe('cacheKey', () => {
  it('joins its parts, and lets none of them change what the key means', () => {
    expect(cacheKey('recommendations', 'family', 2_000, 'urban')).toBe('recommendations:family:2000:urban');
    expect(cacheKey('commute', 'a:b', 'c%')).toBe('commute:a%3Ab:c%25');
  });

  it('makes different keys of different parts', () => {
    const parts = fc.array(fc.string({ minLength: 1, unit: fc.constantFrom('a', ':', '%', '3', 'A') }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        expect(cacheKey(...one) === cacheKey(...other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });

  it.each([[[]], [['']], [['a', '']], [['a', NaN]], [['a', undefined]]])('refuses %j', (parts) => {
    expect(() => cacheKey(...(parts as string[]))).toThrow(InvalidKeyError);
  });
});
