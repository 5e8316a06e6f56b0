import type { Held } from '../values/held.js';
import { NearCache } from './near-cache.js';

const held = (bytes = 100): Held => ({
  freshUntil: Infinity,
  keptUntil: Infinity,
  loadedAt: 0,
  loadMs: 0,
  tags: [],
  bytes,
  failure: undefined,
  version: '',
  keep: () => {},
  value: () => bytes,
});
const cost = (key: string, bytes = 100) => 400 + 4 * key.length + 2 * bytes;
const put = (near: NearCache, key: string, bytes?: number) => near.put(key, key, held(bytes), 0);

describe('the near cache', () => {
  it('57: stays within its budget for 100 000 keys, and is empty when cleared', () => {
    const near = new NearCache(1_000_000);
    for (let key = 0; key < 100_000; key++) {
      put(near, `key ${key}`, key % 500);
      if (key % 3 === 0) near.get(`key ${key - 7}`);
      if (key % 11 === 0) near.drop(`key ${key - 3}`);
      if (near.bytes > 1_000_000) throw new Error('over budget');
    }
    expect(near.size).toBeGreaterThan(500);
    expect(near.size).toBeLessThan(1_000_000 / 400);
    near.clear();
    expect([near.size, near.bytes, near.get('key 99999')]).toEqual([0, 0, undefined]);
    put(near, 'again');
    expect([near.size, near.get('again')?.key]).toEqual([1, 'again']);
  });

  it('counts its bytes exactly, whatever is put, replaced and dropped', () => {
    const near = new NearCache(20_000);
    const sizes = new Map<string, number>();
    for (let step = 0; step < 5_000; step++) {
      const key = `${Math.floor(Math.random() * 60)}`;
      const bytes = Math.floor(Math.random() * 400);
      if (Math.random() < 0.3) near.drop(key);
      else put(near, key, bytes);
      sizes.set(key, bytes);
    }
    let sum = 0;
    for (const [key] of sizes) sum += near.get(key)?.bytes ?? 0;
    expect(near.bytes).toBe(sum);
    for (const key of sizes.keys()) near.drop(key);
    expect([near.size, near.bytes]).toEqual([0, 0]);
  });

  it('keeps what was asked for again, and forgets what was not (SIEVE)', () => {
    const near = new NearCache(3 * cost('a'));
    for (const key of ['a', 'b', 'c']) put(near, key);
    near.get('a');
    put(near, 'd'); // the hand spares a, and takes b
    expect(['a', 'b', 'c', 'd'].map((key) => near.get(key) !== undefined)).toEqual([true, false, true, true]);
  });

  it('goes on where the hand stood, not from the oldest again', () => {
    const near = new NearCache(4 * cost('a'));
    for (const key of ['a', 'b', 'c', 'd']) put(near, key);
    near.get('a');
    put(near, 'e'); // spares a, takes b, and stands before c
    put(near, 'f'); // takes c, although a is older and was spared only once
    expect(near.size).toBe(4);
    expect(['b', 'c'].map((key) => near.get(key))).toEqual([undefined, undefined]);
    expect(['a', 'd', 'e', 'f'].every((key) => near.get(key) !== undefined)).toBe(true);
    put(near, 'g'); // all were asked for: the hand goes round once
    expect(near.size).toBe(4);
  });

  it('survives that what the hand points at is dropped', () => {
    const near = new NearCache(4 * cost('100'));
    for (const key of ['aaa', 'bbb', 'ccc', 'ddd', 'eee']) put(near, key);
    near.drop('bbb');
    near.drop('eee');
    for (let key = 100; key < 200; key++) put(near, `${key}`);
    expect(near.size).toBe(4);
    for (let key = 100; key < 196; key++) expect(near.get(`${key}`)).toBeUndefined();
  });

  it('forgets the value that one replaces which does not fit', () => {
    const near = new NearCache(1_000);
    put(near, 'a');
    put(near, 'a', 10_000);
    expect([near.get('a'), near.bytes]).toEqual([undefined, 0]);
    const none = new NearCache(0);
    put(none, 'a');
    expect(none.size).toBe(0);
  });
});
