import { SettledEvents } from './settled-events.js';

describe('events that are committed in another order', () => {
  let time = 0;
  const settled = new SettledEvents(2_000, () => time);
  const upTo = (newest: bigint, xmin: bigint, next?: bigint) => settled.upTo({ newest, xmin, next });

  it('are told when whoever ran when the newest was first seen has ended', () => {
    expect(upTo(5n, 100n, 100n)).toBe(5n); // nobody else runs
    expect(upTo(7n, 100n, 102n)).toBe(5n); // 100 runs, and may have 6
    expect(upTo(9n, 101n, 105n)).toBe(5n);
    expect(upTo(9n, 102n)).toBe(7n); // 102 and later have come too late to have one before 7
    expect(upTo(9n, 105n)).toBe(9n);
    expect(settled.newest).toBe(9n);
  });

  it('are told after two seconds in spite of a transaction that is left open', () => {
    expect(upTo(12n, 105n, 111n)).toBe(9n);
    time = 1_999;
    expect(upTo(14n, 105n, 112n)).toBe(9n);
    time = 2_000;
    expect(upTo(14n, 105n, 112n)).toBe(12n);
  });
});
