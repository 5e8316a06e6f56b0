import { Metrics } from '@roost/redis';
import { eventually } from '@roost/testing';
import { LockConfig } from './lock.config.js';
import { lockKey } from './lock-key.js';
import {
  InvalidLockOptionsError,
  LockBusyError,
  LockLostError,
  LockReentryError,
  LockShutdownError,
} from './lock.errors.js';
import { LockMetrics } from './lock.metrics.js';
import type { LockOptions } from './lock.options.js';
import { LockRoom } from './lock.room.js';
import { LockStores } from './stores/lock.stores.js';
import { MemoryLockStore } from './stores/memory-lock.store.js';

/** Locks of one process in memory, with all that the module would put around them. */
function room(options: LockOptions = {}) {
  const config = new LockConfig(options);
  const store = new MemoryLockStore(config);
  const stores = new LockStores(store);
  const bugs: unknown[] = [];
  const logger = { warn: (bug: unknown) => void bugs.push(bug), error: (bug: unknown) => void bugs.push(bug) };
  const metrics = new LockMetrics(new Metrics());
  const made = new LockRoom({ config, stores, metrics, logger, instance: 'here', space: 'test' });
  return { room: made, locks: made.service, store, bugs };
}

const tick = (ms = 5) => new Promise((resume) => setTimeout(resume, ms));

describe('LockService', () => {
  it('grants a free lock, and says what it is', async () => {
    const { locks } = room();
    const lock = await locks.acquire(lockKey('car', 7), { ttl: '10s' });
    expect(lock).toMatchObject({ key: 'car:7', keys: ['car:7'], held: true, state: 'healthy', backend: 'memory' });
    expect(lock.deadline.getTime()).toBeGreaterThan(Date.now() + 9_000);
    expect(lock.token).toBeGreaterThan(0n);
    await expect(lock.release()).resolves.toBe(true);
    expect(lock.held).toBe(false);
  });

  it('3: two claims of one process exclude each other, and the second waits', async () => {
    const { locks } = room();
    const first = await locks.acquire('a');
    const order: string[] = [];
    const second = locks.acquire('a').then((lock) => {
      order.push('second');
      return lock;
    });
    await tick();
    expect(order).toEqual([]);
    order.push('released');
    await first.release();
    const lock = await second;
    expect(order).toEqual(['released', 'second']);
    expect(lock.token).toBeGreaterThan(first.token);
    await lock.release();
  });

  it('refuses at once with wait 0, and tryAcquire says null', async () => {
    const { locks } = room();
    const lock = await locks.acquire('a');
    await expect(locks.acquire('a', { wait: 0 })).rejects.toThrow(LockBusyError);
    await expect(locks.tryAcquire('a')).resolves.toBeNull();
    await lock.release();
    const next = await locks.tryAcquire('a');
    expect(next?.held).toBe(true);
    await next?.release();
  });

  it('is busy after having waited', async () => {
    const { locks } = room();
    await locks.acquire('a');
    const startedAt = performance.now();
    await expect(locks.acquire('a', { wait: 40 })).rejects.toThrow(LockBusyError);
    expect(performance.now() - startedAt).toBeGreaterThan(35);
  });

  it('11: a second release, and one after the loss, resolve to false', async () => {
    const { locks } = room();
    const lock = await locks.acquire('a');
    await expect(lock.release()).resolves.toBe(true);
    await expect(lock.release()).resolves.toBe(false);
    const lost = await locks.acquire('a', { ttl: 100, renew: false });
    await eventually(() => expect(lost.held).toBe(false), { within: 2_000 });
    await expect(lost.release()).resolves.toBe(false);
  });

  it('12: what the section throws passes unchanged, also when the release fails', async () => {
    const { locks, store, bugs } = room();
    const own = new Error('no such car');
    store.release = () => Promise.reject(new Error('a bug of the store'));
    await expect(locks.using('a', {}, () => Promise.reject(own))).rejects.toBe(own);
    expect(String(bugs)).toContain('a bug of the store');
  });

  it('serves a thousand who wait in their order', async () => {
    const { locks } = room();
    const first = await locks.acquire('a');
    const order: number[] = [];
    const all = Array.from({ length: 1_000 }, (_, index) =>
      locks.using('a', { wait: '30s' }, async () => void order.push(index)),
    );
    await first.release();
    await Promise.all(all);
    expect(order).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
  });

  it('28: who is aborted while waiting rejects with the reason, and is waited for no more', async () => {
    const { locks, store } = room();
    const first = await locks.acquire('a');
    const stop = new AbortController();
    const waiting = locks.acquire('a', { signal: stop.signal });
    await tick();
    const reason = new Error('the client left');
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await first.release();
    await eventually(async () => expect(await store.inspect('mutex', 'a')).toMatchObject({ holders: [], waiting: 0 }), {
      within: 2_000,
    });
    await expect(locks.acquire('a', { signal: stop.signal })).rejects.toBe(reason);
  });

  it('30: a section that asks for its own lock is told at once, or enters again when it says so', async () => {
    const { locks, store } = room();
    await locks.using('a', {}, async (outer) => {
      const acquire = jest.spyOn(store, 'acquire');
      await expect(locks.using('a', {}, async () => 1)).rejects.toThrow(LockReentryError);
      await expect(locks.acquire(['b', 'a'])).rejects.toThrow(LockReentryError);
      await locks.using('a', { reentrant: true }, async (inner) => {
        expect(inner.token).toBe(outer.token);
        expect(inner.held).toBe(true);
      });
      expect(acquire).not.toHaveBeenCalled();
      expect(outer.held).toBe(true); // the inner release gave nothing back
      await expect(locks.tryAcquire('b')).resolves.not.toBeNull();
    });
    expect((await store.inspect('mutex', 'a')).holders).toEqual([]);
  });

  it('31: two sections side by side are not inside each other', async () => {
    const { locks } = room();
    let inside = 0;
    const section = async () => {
      inside++;
      await tick(10);
      expect(inside).toBe(1);
      inside--;
    };
    await locks.using('outer', {}, async () => {
      await Promise.all([1, 2].map(() => locks.using('a', { reentrant: true }, section)));
    });
  });

  it('32: work that outlives the section asks for the lock like anybody else', async () => {
    const { locks } = room();
    let outlived!: Promise<boolean>;
    await locks.using('a', {}, async () => {
      outlived = tick(20).then(() => locks.using('a', { reentrant: true }, async (lock) => lock.held));
    });
    const other = await locks.acquire('a');
    await tick(30);
    let done = false;
    void outlived.then(() => (done = true));
    await tick();
    expect(done).toBe(false); // it waits for the other
    await other.release();
    await expect(outlived).resolves.toBe(true);
  });

  it('33: several keys are sorted, each once, and taken all or none', async () => {
    const { locks } = room();
    const lock = await locks.acquire(['b', 'a', 'a']);
    expect(lock.keys).toEqual(['a', 'b']);
    await expect(locks.acquire(['c', 'b'], { wait: 0 })).rejects.toThrow(LockBusyError);
    await expect(locks.tryAcquire('c')).resolves.not.toBeNull();
    await lock.release();
    const both = Array.from({ length: 1_000 }, (_, index) =>
      locks.using(index % 2 ? ['a', 'b'] : ['b', 'a'], { wait: '30s' }, async (held) => held.keys.length),
    );
    await expect(Promise.all(both)).resolves.toEqual(Array(1_000).fill(2));
  });

  it('a section whose lock was lost rejects, although it returned', async () => {
    const { locks, store } = room();
    const section = locks.using('a', { ttl: 100, renew: false }, async (lock) => {
      await new Promise((resume) => lock.signal.addEventListener('abort', resume));
      expect(lock.signal.reason).toMatchObject({ code: 'lock.lost', reason: 'DEADLINE' });
      return 'done';
    });
    await expect(section).rejects.toThrow(LockLostError);
    await eventually(async () => expect((await store.inspect('mutex', 'a')).holders).toEqual([]), { within: 2_000 });
  });

  it('renews a lock for as long as it is held', async () => {
    const { locks } = room();
    const lock = await locks.acquire('a', { ttl: 900 }); // less, and a busy machine takes it away
    await tick(2_000);
    expect(lock.held).toBe(true);
    await expect(locks.tryAcquire('a')).resolves.toBeNull();
    await lock.release();
  });

  it('9: a renewal that says lost ends it at once', async () => {
    const { locks, store } = room();
    const lock = await locks.acquire('a', { ttl: 300 });
    const aborted = new Promise((resolve) => lock.signal.addEventListener('abort', resolve));
    await store.force('mutex', 'a');
    await aborted;
    expect(lock.held).toBe(false);
    expect(lock.signal.reason).toMatchObject({ reason: 'LOST' });
    const release = jest.spyOn(store, 'release');
    await expect(lock.release()).resolves.toBe(false);
    expect(release).not.toHaveBeenCalled();
  });

  it('51: a shutdown turns those away who wait, and lets those finish who hold', async () => {
    const { room: made, locks, store } = room({ shutdownGrace: '2s' });
    const holders = await Promise.all(['a', 'b', 'c'].map((key) => locks.acquire(key)));
    const waiting = Array.from({ length: 5 }, () => locks.acquire('a'));
    const turnedAway = Promise.all(waiting.map((each) => expect(each).rejects.toThrow(LockShutdownError)));
    made.stopWaiting();
    await turnedAway;
    expect(holders.every((lock) => lock.held)).toBe(true);
    const drained = made.drain();
    await Promise.all(holders.slice(1).map((lock) => lock.release()));
    await tick(30);
    expect(holders[0]!.held).toBe(true);
    await holders[0]!.release();
    await drained;
    expect((await store.inspect('mutex', 'a')).holders).toEqual([]);
  });

  it('refuses options that it does not know, all at once', async () => {
    const { locks } = room();
    const wrong = locks.acquire('a', { ttl: '90s', wait: -1, waitt: 5, reentrant: 'yes' } as never);
    await expect(wrong).rejects.toThrow(InvalidLockOptionsError);
    await expect(wrong).rejects.toThrow(/waitt.*maxTtl|maxTtl.*waitt/s);
    await expect(locks.acquire('')).rejects.toThrow('non-empty string');
    await expect(locks.acquire([])).rejects.toThrow('list of keys');
    expect(() => lockKey('car', undefined as never)).toThrow('part 2');
    expect(lockKey('a', 'b:c')).not.toBe(lockKey('a:b', 'c'));
  });
});
