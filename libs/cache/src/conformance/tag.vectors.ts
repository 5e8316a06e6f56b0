import { expect } from '@jest/globals';
import { vectorsOf } from './bench.js';

/** The versions by which tags invalidate. */
export const tagVectors = vectorsOf({
  'a tag that is not there has no version': async (bench) => {
    const tag = bench.tag('a');
    const [made] = await bench.store.ensure([tag], 10_000);
    expect(await bench.store.versions([bench.tag('none'), tag, bench.tag('none')])).toEqual([
      undefined,
      made!.version,
      undefined,
    ]);
  },

  'a tag is made once, by whomever': async (bench) => {
    const tags = ['a', 'b'].map((name) => bench.tag(name));
    const made = await Promise.all(Array.from({ length: 20 }, () => bench.store.ensure(tags, 10_000)));
    for (const index of [0, 1]) expect(new Set(made.map((states) => states[index]!.version)).size).toBe(1);
    for (const { leftMs } of made.flat()) {
      expect(leftMs).toBeGreaterThan(9_000);
      expect(leftMs).toBeLessThanOrEqual(10_000);
    }
  },

  'each invalidation is another version, greater than any before, and told of': async (bench) => {
    const tags = ['a', 'b'].map((name) => bench.tag(name));
    const [made] = await bench.store.ensure([tags[0]!], 10_000);
    let last = [made!.version, 0];
    for (let round = 0; round < 20; round++) {
      const bumped = await bench.store.bump(tags, 10_000);
      for (const index of [0, 1]) expect(bumped[index]!).toBeGreaterThan(last[index]!);
      last = [...bumped];
    }
    expect(await bench.store.versions(tags)).toEqual(last);
    for (const { name } of tags) {
      bench.listen();
      await bench.store.bump(tags, 10_000);
      await bench.told(name);
    }
  },

  'invalidated by many at once, it has the version of the last': async (bench) => {
    const tag = bench.tag('a');
    const versions = (await Promise.all(Array.from({ length: 50 }, () => bench.store.bump([tag], 10_000)))).flat();
    expect(new Set(versions).size).toBe(50);
    expect(await bench.store.versions([tag])).toEqual([Math.max(...versions)]);
  },

  'a tag that ended is made anew with a version that it never had': async (bench) => {
    const tag = bench.tag('a');
    const [before] = await bench.store.bump([tag], 30);
    await bench.opened.pass(35);
    expect(await bench.store.versions([tag])).toEqual([undefined]);
    const [after] = await bench.store.ensure([tag], 10_000);
    expect(after!.version).toBeGreaterThan(before!);
  },

  'a tag lives as long as it was last asked to, at least': async (bench) => {
    const [ensured, bumped] = ['ensured', 'bumped'].map((name) => bench.tag(name));
    const [first] = await bench.store.ensure([ensured!], 300);
    const [again] = await bench.store.ensure([ensured!], 10_000);
    expect(again!.version).toBe(first!.version);
    expect(again!.leftMs).toBeGreaterThan(9_000);
    await bench.store.ensure([bumped!], 10_000);
    const [version] = await bench.store.bump([bumped!], 300); // does not shorten it
    await bench.opened.pass(305);
    expect(await bench.store.versions([ensured!, bumped!])).toEqual([first!.version, version]);
  },
});
