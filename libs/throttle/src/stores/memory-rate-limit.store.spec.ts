import { Key } from '@roost/redis';
import { eventually } from '@roost/testing';
import { AsyncLocalStorage } from 'node:async_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MemoryRateLimitStore } from './memory-rate-limit.store.js';
import { limitKey } from './rate-limit.keys.js';
import { describeRateLimitStore } from '../testing.js';

describeRateLimitStore(
  'memory',
  () => {
    let nowUs = 0;
    const store = new MemoryRateLimitStore({ nowUs: () => nowUs });
    return { store, setClock: (us) => void (nowUs = us), close: () => store.close() };
  },
  { runs: 300 },
);

describe('MemoryRateLimitStore', () => {
  let nowUs = 1_800_000_000_000_000;
  const request = (subject: string | number, key = limitKey('gcra', 'memory', String(subject))) => ({
    key,
    algorithm: 'gcra' as const,
    limit: 2,
    windowUs: 1_000_000,
    cost: 1,
  });

  it('forgets whom it has not charged for longest when it is full, and counts that', async () => {
    const evictions: number[] = [];
    const store = new MemoryRateLimitStore({ maxEntries: 2, nowUs: () => nowUs, onEvict: () => evictions.push(1) });
    for (const subject of ['a', 'b', 'a', 'c']) await store.decide([request(subject)], 'consume');
    expect([store.size, store.evicted, evictions.length]).toEqual([2, 1, 1]);
    expect((await store.decide([request('a')], 'peek')).allowed).toBe(false); // used twice, remembered
    expect((await store.decide([request('b')], 'peek')).limits[0]!.remaining).toBe(2); // forgotten
    store.close();
  });

  it('remembers whom it refuses for as long as they try', async () => {
    const store = new MemoryRateLimitStore({ maxEntries: 2, nowUs: () => nowUs });
    for (const subject of ['a', 'a', 'b', 'a', 'c', 'a', 'd']) await store.decide([request(subject)], 'consume');
    expect((await store.decide([request('a')], 'peek')).allowed).toBe(false);
    store.close();
  });

  it('does not grow while the same subjects come back', async () => {
    const store = new MemoryRateLimitStore({ maxEntries: 10, nowUs: () => nowUs });
    const hit = (i: number) => store.decide([{ ...request(i, new Key(`rate:${i}`, 'rate')), limit: 1e6 }], 'consume');
    for (let i = 0; i < 20; i++) void hit(i); // evicts, then never again
    const before = heapUsed();
    for (let i = 0; i < 200_000; i++) void hit(10 + (i % 10));
    await new Promise(setImmediate);
    store.sweep();
    expect(heapUsed() - before).toBeLessThan(2_000_000);
    expect([store.size, store.evicted]).toEqual([10, 10]);
    store.close();
  });

  it('does not count as evicted what had expired', async () => {
    const store = new MemoryRateLimitStore({ maxEntries: 1, nowUs: () => nowUs });
    await store.decide([request('a')], 'consume');
    nowUs += 2_000_000;
    await store.decide([request('b')], 'consume');
    expect([store.size, store.evicted]).toEqual([1, 0]);
    store.close();
  });

  it('54: 400 000 subjects take bounded memory, and one sweep after their window none', async () => {
    const store = new MemoryRateLimitStore({ nowUs: () => nowUs });
    const hit = (i: number) => store.decide([request(i, new Key(`rate:${i}`, 'rate'))], 'consume');
    for (let i = 0; i < 100_000; i++) void hit(i);
    const before = heapUsed();
    for (let i = 100_000; i < 400_000; i++) {
      void hit(i);
      if (i % 50_000 === 0) await new Promise(setImmediate);
    }
    expect([store.size, store.evicted]).toEqual([100_000, 300_000]);
    expect(heapUsed() - before).toBeLessThan(5_000_000);
    nowUs += 1_000_000;
    store.sweep();
    expect(store.size).toBe(0);
    store.close();
  }, 60_000);

  it('54: sweeps by itself with one timer that does not keep the process alive', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const store = new MemoryRateLimitStore({ nowUs: () => nowUs, sweepMs: 5 });
    for (let i = 0; i < 1_000; i++) await store.decide([request(i)], 'consume');
    expect(timers()).toBe(before); // unref'd timers are not listed
    nowUs += 1_000_000;
    await new Promise((resolve) => setTimeout(resolve, 25));
    expect(store.size).toBe(0);
    store.close();
  });

  it('55: does not keep alive what belongs to the request in which it was made and used', async () => {
    const requests = new AsyncLocalStorage<object>();
    let store!: MemoryRateLimitStore;
    const held = await requests.run({ user: 'alice' }, async () => {
      store = new MemoryRateLimitStore({ nowUs: () => nowUs });
      await store.decide([request('a')], 'consume');
      return new WeakRef(requests.getStore()!);
    });
    await eventually(() => (heapUsed(), held.deref() === undefined), { within: 2_000 });
    expect((await store.decide([request('a')], 'consume')).limits[0]!.remaining).toBe(0);
    store.close();
  });
});

/** What is reachable: the heap after a collection. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
