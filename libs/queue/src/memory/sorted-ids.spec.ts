import { slice, SortedIds } from './sorted-ids.js';

describe('SortedIds', () => {
  it('orders by score, then by rank, then by spelling, whatever is added and removed', () => {
    const ids = new SortedIds();
    const plain = new Map<string, [number, number]>();
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let i = 0; i < 3_000; i++) {
      const id = `${random(80)}`;
      if (random(3) === 0) {
        expect(ids.remove(id)).toBe(plain.delete(id));
        continue;
      }
      const place: [number, number] = [random(10), random(3)];
      plain.set(id, place);
      ids.add(id, ...place);
      if (i % 50 > 0) continue;
      const sorted = [...plain].toSorted(([a, x], [b, y]) => x[0] - y[0] || x[1] - y[1] || (a < b ? -1 : 1));
      expect([...ids]).toEqual(sorted.map(([name]) => name));
      expect([ids.lowest, ids.highest]).toEqual([sorted[0]![1][0], sorted.at(-1)![1][0]]);
      const within = sorted.filter(([, [score]]) => score >= 3 && score <= 6).map(([name]) => name);
      expect(ids.within(3, 6)).toEqual(within);
      expect(ids.within(3, 6, 2)).toEqual(within.slice(0, 2));
    }
    expect(ids.size).toBe(plain.size);
  });

  it('is a line with two ends', () => {
    const line = new SortedIds();
    for (const id of ['a', 'b']) line.addLast(id);
    for (const id of ['c', 'd']) line.addFirst(id);
    line.addLast('c');
    expect(line.slice(0, -1)).toEqual(['d', 'a', 'b', 'c']);
    expect(line.sliceReversed(0, 1)).toEqual(['c', 'b']);
    expect([line.shift(), line.has('d'), line.size]).toEqual(['d', false, 3]);
  });

  it.each([
    [0, -1, 'abcd'],
    [1, 2, 'bc'],
    [-2, -1, 'cd'],
    [2, 9, 'cd'],
    [4, 9, ''],
    [0, -9, ''],
    [-9, 0, 'a'],
    [3, 1, ''],
  ])('slices from %d to %d as Redis does', (start, end, expected) => {
    expect(slice(['a', 'b', 'c', 'd'], start, end).join('')).toBe(expected);
  });
});
