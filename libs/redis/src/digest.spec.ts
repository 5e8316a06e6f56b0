import { digest, shareOf } from './digest.js';

describe('shareOf', () => {
  it('spreads 10 000 subjects evenly: each tenth holds 10 % ± 1', () => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) tenths[Math.floor(shareOf(`user-${i}`) / 10)]!++;
    for (const count of tenths) expect(Math.abs(count - 1_000)).toBeLessThan(100);
  });

  it('gives a subject the same share for ever', () => {
    expect(shareOf('user-1')).toBe(shareOf('user-1'));
    expect(shareOf('')).toBeGreaterThanOrEqual(0);
    expect(shareOf('')).toBeLessThan(100);
  });
});

describe('digest', () => {
  it('is the head of a SHA-256 in base64url', () => {
    expect(digest('abc')).toBe('ungWv48Bz-pBQUDeXa4iI7');
    expect(digest('abc')).toHaveLength(22);
  });
});
