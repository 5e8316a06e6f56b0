import { Metrics } from '@roost/redis';
import { LockConfig } from './lock.config.js';
import {
  FenceUnsupportedError,
  InvalidLockKeyError,
  InvalidLockOptionsError,
  LimitMismatchError,
  LockBusyError,
  LockReentryError,
  LockUpgradeError,
} from './lock.errors.js';
import type { Lock } from './lock.js';
import { LockMetrics } from './lock.metrics.js';
import { LockRoom } from './lock.room.js';
import { LockStores } from './stores/lock.stores.js';
import { MemoryLockStore } from './stores/memory-lock.store.js';

/** Counts how often it is asked. */
class CountingStore extends MemoryLockStore {
  asked = 0;

  override acquire(...args: Parameters<MemoryLockStore['acquire']>) {
    this.asked++;
    return super.acquire(...args);
  }
}

function room() {
  const config = new LockConfig({});
  const store = new CountingStore(config);
  const stores = new LockStores(store);
  const bugs: unknown[] = [];
  const logger = { warn: (bug: unknown) => void bugs.push(bug), error: (bug: unknown) => void bugs.push(bug) };
  const metrics = new LockMetrics(new Metrics());
  const { service } = new LockRoom({ config, stores, metrics, logger, instance: 'here', space: 'test' });
  return { locks: service, store, bugs };
}

const turn = () => new Promise((resume) => setTimeout(resume, 5));

describe('ReadWriteLock', () => {
  it('34: readers share, a writer is alone and comes before the readers behind it', async () => {
    const { locks } = room();
    const rw = locks.rw('a');
    const readers = [await rw.read(), await locks.rw('a').read(), await rw.read()];
    const order: string[] = [];
    const writer = rw.write().then((lock) => (order.push('writer'), lock));
    await turn();
    const late = rw.read().then((lock) => (order.push('late'), lock));
    await turn();
    await expect(rw.read({ wait: 0 })).rejects.toThrow(LockBusyError);
    for (const reader of readers) {
      expect(order).toEqual([]);
      await reader.release();
      await turn();
    }
    expect(order).toEqual(['writer']);
    await (await writer).release();
    await (await late).release();
    expect(order).toEqual(['writer', 'late']);
  });

  it('34: a reader who wants to write is refused at once, without a question to the store', async () => {
    const { locks, store } = room();
    const rw = locks.rw('a');
    await rw.usingRead({}, async () => {
      const asked = store.asked;
      await expect(rw.write()).rejects.toThrow(LockUpgradeError);
      await expect(locks.rw('a').usingWrite({ reentrant: true }, async () => 1)).rejects.toThrow(LockUpgradeError);
      expect(store.asked).toBe(asked);
      await locks.rw('b').usingWrite({}, async () => undefined);
    });
    await rw.usingWrite({ wait: 0 }, async () => undefined);
  });

  it('30: re-entry is refused, or counted where it is wanted', async () => {
    const { locks, store } = room();
    const rw = locks.rw('a');
    await rw.usingWrite({}, async (outer) => {
      const asked = store.asked;
      await expect(rw.read()).rejects.toThrow(LockReentryError);
      await rw.usingRead({ reentrant: true }, async (inner) => expect(inner.token).toBe(outer.token));
      expect([store.asked, outer.held]).toEqual([asked, true]);
    });
    await rw.usingRead({}, async () => {
      await expect(rw.read({ wait: 0 })).rejects.toThrow(LockReentryError);
      await rw.usingRead({ reentrant: true }, async () => undefined);
    });
    expect((await store.inspect('rw', 'a')).holders).toEqual([]);
  });

  it('gives the result of a section and its errors unchanged, and gives the lock back', async () => {
    const { locks, bugs } = room();
    const rw = locks.rw('a');
    const error = new RangeError('mine');
    await expect(rw.usingRead({}, async () => 7)).resolves.toBe(7);
    await expect(rw.usingRead({}, () => Promise.reject(error))).rejects.toBe(error);
    await expect(rw.usingWrite({ wait: 0 }, () => Promise.reject(error))).rejects.toBe(error);
    await using lock = await rw.write({ wait: 0 });
    expect([lock.key, lock.held, lock.backend, bugs]).toEqual(['a', true, 'memory', []]);
  });

  it('does not fence: others may hold it at the same time', async () => {
    const { locks } = room();
    const db = { transaction: (run: (tx: never) => Promise<unknown>) => run(undefined as never) };
    await using lock = await locks.rw('a').read();
    await expect(lock.transaction(db, async () => 1)).rejects.toThrow(FenceUnsupportedError);
  });

  it('refuses what is no key and no options', async () => {
    const { locks } = room();
    expect(() => locks.rw('')).toThrow(InvalidLockKeyError);
    expect(() => locks.rw(['a', 'b'] as never)).toThrow(InvalidLockKeyError);
    await expect(locks.rw('a').read({ ttl: '1h', renew: 1 as never })).rejects.toMatchObject({
      problems: [expect.stringContaining('`renew`'), expect.stringContaining('`ttl`')].toReversed(),
    });
  });
});

describe('Semaphore', () => {
  it('35: never more than its permits are out, of a thousand who come at once', async () => {
    const { locks, store } = room();
    let inside = 0;
    let most = 0;
    const run = async () => {
      most = Math.max(most, ++inside);
      await new Promise(setImmediate);
      await new Promise(setImmediate);
      inside--;
    };
    const semaphore = locks.semaphore('a', 3);
    await Promise.all(Array.from({ length: 1_000 }, () => semaphore.using(1, { wait: '20s' }, run)));
    expect([most, inside]).toEqual([3, 0]);
    expect(await store.inspect('semaphore', 'a')).toEqual({ holders: [], waiting: 0 });
  });

  it('35: who says another number of permits is told, while it is in use', async () => {
    const { locks } = room();
    const lock = await locks.semaphore('a', 3).acquire();
    const other = locks.semaphore('a', 5);
    await expect(other.acquire()).rejects.toMatchObject({ key: 'a', asked: 5, inUse: 3 });
    await expect(other.acquire(1, { wait: 0 })).rejects.toThrow(LimitMismatchError);
    await expect(other.tryAcquire()).rejects.toThrow(LimitMismatchError);
    await lock.release();
    await using again = await other.acquire(5);
    expect(again.held).toBe(true);
  });

  it('takes several permits at once, in turn', async () => {
    const { locks } = room();
    const semaphore = locks.semaphore('a', 3);
    const two = await semaphore.acquire(2);
    expect(await semaphore.tryAcquire(2)).toBeNull();
    const one = (await semaphore.tryAcquire())!;
    const got: string[] = [];
    const all = semaphore.acquire(3).then((lock) => (got.push('all'), lock));
    await turn();
    const few = semaphore.acquire(1).then((lock) => (got.push('few'), lock));
    await one.release();
    await turn();
    expect(got).toEqual([]);
    await two.release();
    await (await all).release();
    await (await few).release();
    expect(got).toEqual(['all', 'few']);
  });

  it('a section may ask for more permits', async () => {
    const { locks } = room();
    const semaphore = locks.semaphore('a', 2);
    const tokens: Lock['token'][] = [];
    await semaphore.using(1, {}, async (outer) => {
      tokens.push(outer.token);
      await semaphore.using(1, { wait: 0 }, async (inner) => void tokens.push(inner.token));
      expect(outer.held).toBe(true);
    });
    expect(tokens[1]).toBeGreaterThan(tokens[0]!);
  });

  it.each([0, -1, 1.5, NaN, Infinity, '3', undefined, null])(
    'refuses %p permits, and so many at once',
    async (count) => {
      const { locks, store } = room();
      expect(() => locks.semaphore('a', count as never)).toThrow(InvalidLockOptionsError);
      if (count === undefined) return;
      await expect(locks.semaphore('a', 3).acquire(count as never)).rejects.toThrow(InvalidLockOptionsError);
      expect(store.asked).toBe(0);
    },
  );

  it('names all problems at once', async () => {
    const { locks, store } = room();
    const options = { ttl: '1h', wiat: 5, reentrant: true } as never;
    await expect(locks.semaphore('a', 3).acquire(4, options)).rejects.toMatchObject({
      problems: [
        'expected `weight` to be at most the 3 permits, got `4` (number)',
        'unknown option `wiat`',
        expect.stringContaining('`ttl`'),
      ],
    });
    await expect(locks.semaphore('a', 3).acquire(1, { reentrant: true } as never)).rejects.toThrow(
      'has no `reentrant`',
    );
    expect(store.asked).toBe(0);
  });
});
