import fc from 'fast-check';
import { defineKey } from './key.js';
import { InvalidKeyError, InvalidOptionsError } from './redis.errors.js';

const lock = defineKey('lock:car:{carId}:{dates}', { ttl: '30s', maxBytes: 512, slot: 'carId' });

describe('defineKey', () => {
  it('fills the template and writes the slot part as a hash tag', () => {
    const key = lock.of({ carId: 'car-1', dates: '2026-06-01' });
    expect(key.name).toBe('lock:car:{car-1}:2026-06-01');
    expect(key.slot).toBe('car-1');
    expect(lock.ttlMs).toBe(30_000);
  });

  it('puts keys with a constant tag into one slot', () => {
    const rate = defineKey('rate:{policy}:{subject}', { ttl: '1h', maxBytes: 20, tag: 'rate' });
    expect(rate.of({ policy: 'a', subject: 'b' }).name).toBe('{rate}:rate:a:b');
    expect(rate.of({ policy: 'x', subject: 'y' }).slot).toBe('rate');
  });

  it.each([undefined, null, '', Number.NaN, Infinity, {}, []])('refuses the part %p', (part) => {
    expect(() => lock.of({ carId: part as string, dates: 'x' })).toThrow(InvalidKeyError);
  });

  it('names every mistake of a definition at once', () => {
    const wrong = () => defineKey('Bad {x}', { ttl: '0s', maxBytes: 0, slot: 'y' as 'x', tag: 'A B' });
    expect(wrong).toThrow(InvalidOptionsError);
    expect(wrong).toThrow(/lower-case words[\s\S]*maxBytes[\s\S]*slot[\s\S]*tag[\s\S]*ttl/);
  });

  it('wants a colon beside each part, as 1-2 and 3 would else be 1 and 2-3', () => {
    for (const template of ['x:{a}-{b}', 'x:{a}{b}', 'x{a}'] as const) {
      expect(() => defineKey(template, { ttl: '1s', maxBytes: 1 })).toThrow(/a colon between/);
    }
  });

  it('keeps what a user sends from meaning anything to Redis', () => {
    const { name } = lock.of({ carId: '}x:{y}*?[a]\r\n', dates: '~!%' });
    expect(name).toMatch(/^lock:car:\{[A-Za-z0-9%_.-]+\}:[A-Za-z0-9%_.-]+$/);
  });

  it('hashes what is too long, so that a key stays within 448 bytes and a prefix within 512', () => {
    const long = lock.of({ carId: 'x'.repeat(1_000_000), dates: 'ü'.repeat(400) });
    expect(Buffer.byteLength(long.name)).toBeLessThanOrEqual(448);
    expect(long.name).not.toBe(lock.of({ carId: `${'x'.repeat(999_999)}y`, dates: 'ü'.repeat(400) }).name);
  });

  it('keeps ill-formed Unicode apart, which UTF-8 would make equal', () => {
    const names = ['\ud800', '\ud801', '\ufffd'].map((carId) => lock.of({ carId, dates: 'x' }).name);
    expect(new Set(names).size).toBe(3);
  });

  it('never makes one key of two different sets of parts', () => {
    const text = fc.oneof(
      fc.string({ minLength: 1, unit: 'binary' }),
      fc.string({ minLength: 1, unit: 'grapheme-ascii' }),
      fc.stringMatching(/^[{}:*%~a-]{1,6}$/),
    );
    const parts = fc.record({ carId: text, dates: text });
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const same = a.carId === b.carId && a.dates === b.dates;
        const [one, other] = [lock.of(a), lock.of(b)];
        expect(one.name === other.name).toBe(same);
        expect(one.slot === other.slot).toBe(a.carId === b.carId);
        expect(one.name.split(':')).toHaveLength(4);
      }),
      { numRuns: 2_000 },
    );
  });
});
