import { setTimeout as sleep } from 'node:timers/promises';
import { becomes, openNode, type CacheNode } from './cache.testbed.js';
import type { WarmReport } from './cache.options.js';

describe('warming', () => {
  let node: CacheNode;
  beforeEach(async () => {
    node = await openNode({});
  });
  afterEach(() => node.close());

  it('loads what is missing, some at a time, and tells how far it has come', async () => {
    await node.cache.set('3', 'there');
    let running = 0;
    let most = 0;
    const entries = Array.from({ length: 10 }, (_, index) => ({
      key: `${index}`,
      load: async () => {
        most = Math.max(most, ++running);
        await sleep(5);
        running--;
        if (index === 5) throw new Error('broken');
        return index;
      },
    }));
    const told: WarmReport[] = [];
    const report = await node.cache.warm(entries, { concurrency: 3, onProgress: (progress) => told.push(progress) });
    expect(report).toEqual({ total: 10, loaded: 8, present: 1, failed: 1 });
    expect(most).toBe(3);
    expect(told.map(({ loaded, present, failed }) => loaded + present + failed)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ]);
    expect(told.at(-1)).toEqual(report);
    expect(await node.cache.getMany(['0', '3', '5', '9'])).toEqual([0, 'there', undefined, 9]);
  });

  it('begins nothing more once it is aborted', async () => {
    const abort = new AbortController();
    let begun = 0;
    const load = async () => {
      begun++;
      await sleep(5);
      return 1;
    };
    const entries = Array.from({ length: 100 }, (_, index) => ({ key: `${index}`, load }));
    const warming = node.cache.warm(entries, { signal: abort.signal, concurrency: 2 });
    await becomes(() => begun >= 4);
    abort.abort();
    const report = await warming;
    expect(report.loaded).toBe(begun);
    expect(begun).toBeLessThan(100);
  });

  it.each([0, -1, 1.5, NaN])('refuses a concurrency of %p', async (concurrency) => {
    await expect(node.cache.warm([], { concurrency })).rejects.toThrow(/concurrency/);
    expect(await node.cache.warm([])).toEqual({ total: 0, loaded: 0, present: 0, failed: 0 });
  });
});
