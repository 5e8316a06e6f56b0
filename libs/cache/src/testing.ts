import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { Bench, type CacheVector, type OpenedCacheStore } from './conformance/bench.js';
import { leaseVectors } from './conformance/lease.vectors.js';
import { tagVectors } from './conformance/tag.vectors.js';
import { valueVectors } from './conformance/value.vectors.js';

export { Bench, SPACE, type CacheVector, type OpenedCacheStore } from './conformance/bench.js';

/** Each promise of a cache store by its name, for a test that a broken store breaks it. */
export const cacheVectors: readonly CacheVector[] = [...leaseVectors, ...valueVectors, ...tagVectors];

/**
 * What every cache store must do, ours or a stranger's.
 * @example
 * describeCacheStore('memory', () => {
 *   let ms = 1_800_000_000_000;
 *   const changed: string[] = [];
 *   const store = new MemoryCacheStore({ maxBytes: 1e6, onChange: (names) => changed.push(...names), now: () => ms });
 *   return { store, changed, pass: (by) => void (ms += by), endless: () => [], close: () => undefined };
 * });
 */
export function describeCacheStore(name: string, open: () => OpenedCacheStore | Promise<OpenedCacheStore>): void {
  describe(`cache store: ${name}`, () => {
    let opened: OpenedCacheStore;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened?.close());

    it.each(cacheVectors)('$name', ({ check }) => check(new Bench(opened)));
  });
}
