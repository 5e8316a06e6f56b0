import { AsyncLocalStorage } from 'node:async_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MemoryLockStore } from './memory-lock.store.js';
import type { LockClaim } from './lock.store.js';
import { Bench, describeLockStore, WAITER_TTL_MS } from '../testing.js';

function opened(startMs = 1_800_000_000_000) {
  let ms = 0;
  let stepMs = 0;
  const clock = { monotonic: () => ms, wall: () => startMs + ms + stepMs };
  const store = new MemoryLockStore({ clock, waiterTtlMs: WAITER_TTL_MS });
  const pass = (by: number) => void (ms += by);
  return { store, instance: 'here', pass, step: (by: number) => void (stepMs += by), close: () => undefined };
}

describeLockStore('memory', () => opened(), { runs: 100 });

describe('MemoryLockStore', () => {
  const claimOf = (key: string, rest: Partial<LockClaim> = {}): LockClaim => {
    return {
      kind: 'mutex',
      keys: [key],
      holder: `here.${key}`,
      ttlMs: 1_000,
      weight: 1,
      limit: 1,
      wait: false,
      ...rest,
    };
  };

  it('22: nothing but the time that went by ends a lock, however the wall clock is set', async () => {
    const at = opened();
    const bench = new Bench(at);
    await bench.hold(bench.claim());
    at.step(3_600_000);
    expect(await bench.states(bench.claim())).toEqual(['busy']);
    at.step(-7_200_000);
    at.pass(10_000);
    expect(await bench.states(bench.claim())).toEqual(['granted']);
  });

  it('38: the tokens of a process that was restarted are greater than its predecessor’s', async () => {
    const tokens: bigint[] = [];
    for (const ms of [0, 1, 999, 1_000, 1_001]) {
      const bench = new Bench(opened(1_800_000_000_000 + ms));
      for (let i = 0; i < 1_000; i++) tokens.push((await bench.hold(bench.claim({ keys: [`${i}`] }))).token);
    }
    for (const [i, token] of tokens.slice(1).entries()) expect(token).toBeGreaterThan(tokens[i]!);
    expect(tokens.at(-1)).toBeLessThan(2n ** 63n); // a bigint of Postgres
  });

  it('has tokens also where the clock is years behind', async () => {
    const bench = new Bench(opened(0));
    expect((await bench.hold(bench.claim())).token).toBeGreaterThan(0n);
  });

  it('52: the heap stays flat over 300 000 keys, and those who hold a lock keep it', async () => {
    const { store, pass } = opened();
    const held = Array.from({ length: 1_000 }, (_, i) => claimOf(`held-${i}`, { ttlMs: 1e9 }));
    for (const claim of held) await store.acquire(claim);
    const ask = async (from: number, until: number) => {
      for (let i = from; i < until; i++) {
        const claim = claimOf(`key-${i}`, { wait: i % 3 === 0 });
        void store.acquire(claim);
        if (i % 10 === 0) void store.acquire({ ...claim, holder: 'here.other', wait: true });
        if (i % 2 === 0) void store.withdraw(claim); // the rest is never given back
        pass(1);
        if (i % 1_000 === 0) await Promise.resolve();
      }
    };
    await ask(0, 50_000);
    const before = heapUsed();
    await ask(50_000, 350_000);
    expect(heapUsed() - before).toBeLessThan(3_000_000); // what is kept of a key takes a hundred bytes and more
    expect(store.size).toBeLessThan(20_000);
    for (const claim of held) {
      expect((await store.acquire({ ...claim, holder: 'here.late' })).state).toBe('busy');
      expect((await store.acquire(claim)).state).toBe('granted');
    }
  }, 120_000);

  it('tells a turn only after the call that made it, outside the request that made it, and to each listener', async () => {
    const bench = new Bench(opened());
    const requests = new AsyncLocalStorage<string>();
    const heard: unknown[] = [];
    const listener = (holder: string | undefined) => heard.push([holder, requests.getStore()]);
    const stops = [bench.store.onTurn(listener), bench.store.onTurn(listener)];
    const hold = await bench.hold(bench.claim());
    const waiter = bench.waiter();
    await bench.states(waiter);
    const released = requests.run('request', () => bench.store.release(hold));
    expect(heard).toEqual([]);
    await released;
    await Promise.resolve();
    expect(heard).toEqual(Array(2).fill([waiter.holder, undefined]));
    stops[0]!();
    await bench.store.withdraw(await bench.hold(waiter));
    stops[1]!();
  });

  it('forgets a lock with its last holder and waiter', async () => {
    const { store } = opened();
    const bench = new Bench({ ...opened(), store });
    const hold = await bench.hold(bench.claim({ keys: ['a', 'b'] }));
    const waiter = bench.waiter({ keys: ['b'] });
    await bench.states(waiter, bench.claim({ keys: ['b', 'c'] }));
    expect(store.size).toBe(2);
    await store.release(hold);
    expect(store.size).toBe(1);
    await store.withdraw(waiter);
    expect(store.size).toBe(0);
    await store.inspect('rw', 'a');
    await store.force('rw', 'a');
    expect(store.size).toBe(0);
  });
});

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
