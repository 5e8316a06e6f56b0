import { Memo } from './memo.js';

describe('Memo', () => {
  const filled = (size: number, names: Iterable<string>) => {
    const memo = new Memo<string>(size);
    for (const name of names) memo.set(name, `of ${name}`);
    return memo;
  };
  const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String(from + i));

  it('remembers what was last asked for, and forgets what was not', () => {
    const memo = filled(10, ['often', ...numbers(0, 8)]);
    for (const name of numbers(8, 1_000)) {
      expect(memo.get('often')).toBe('of often');
      memo.set(name, 'x');
    }
    expect(memo.get('0')).toBeUndefined();
    expect(memo.get('999')).toBe('x');
  });

  it('holds at least so many, and at most twice as many', () => {
    const memo = filled(10, numbers(0, 1_000));
    for (const name of numbers(990, 1_000).toReversed()) expect(memo.get(name)).toBe(`of ${name}`);
    for (const name of numbers(0, 980)) expect(memo.get(name)).toBeUndefined();
  });
});
