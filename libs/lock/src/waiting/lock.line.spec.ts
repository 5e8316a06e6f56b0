import { memoryRoom } from '../conformance/memory-room.js';
import {
  LimitMismatchError,
  LockBusyError,
  LockQuarantineError,
  LockShutdownError,
  LockUnavailableError,
} from '../lock.errors.js';
import type { ClaimOutcome, LockClaim } from '../stores/lock.store.js';
import { MemoryLockStore } from '../stores/memory-lock.store.js';

const tick = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

/** Answers claims as it is told to. */
class TroubledStore extends MemoryLockStore {
  trouble: (() => Promise<ClaimOutcome>) | undefined;

  override acquire(claim: LockClaim): Promise<ClaimOutcome> {
    return this.trouble?.() ?? super.acquire(claim);
  }
}

const silent = async () => {
  await tick(50);
  throw new LockUnavailableError(new Error('timed out'));
};
const inQuarantine = async () => ({ state: 'quarantine', retryInMs: 60_000 }) as const;
const failureOf = (asked: Promise<unknown>) => asked.catch((error: unknown) => error);

describe('those who wait in one process', () => {
  it('20: are never told that a lock is busy by a store that does not answer, wherever they stand', async () => {
    const store = new TroubledStore();
    const { locks } = memoryRoom({}, store);
    store.trouble = silent;
    const waiting = [300, 300, 300].map((wait) => failureOf(locks.acquire('a', { wait })));
    await tick(150);
    const late = failureOf(locks.acquire('a', { wait: 20 }));
    await expect(locks.tryAcquire('a')).rejects.toThrow(LockUnavailableError);
    for (const failure of await Promise.all([...waiting, late])) expect(failure).toBeInstanceOf(LockUnavailableError);
  });

  it('13: are told of a quarantine, wherever they stand', async () => {
    const store = new TroubledStore();
    const { locks } = memoryRoom({}, store);
    store.trouble = inQuarantine;
    const patient = new AbortController();
    const first = failureOf(locks.acquire('a', { wait: '5m', signal: patient.signal }));
    const second = failureOf(locks.acquire('a', { wait: 50 }));
    expect(await second).toBeInstanceOf(LockQuarantineError);
    await expect(locks.tryAcquire('a')).rejects.toThrow(LockQuarantineError);
    patient.abort();
    await first;
  });

  it('are told that a lock is busy once the store says so again', async () => {
    const store = new TroubledStore();
    const { locks } = memoryRoom({}, store);
    const other = await memoryRoom({}, store).locks.acquire('a');
    store.trouble = silent;
    const waiting = [400, 400].map((wait) => failureOf(locks.acquire('a', { wait })));
    await tick(100);
    store.trouble = undefined;
    for (const failure of await Promise.all(waiting)) expect(failure).toBeInstanceOf(LockBusyError);
    await other.release();
  });

  it('pass the place of their process on, also to one who wants the lock for longer', async () => {
    const store = new MemoryLockStore();
    const held = await memoryRoom({}, store).locks.acquire('a');
    const { locks } = memoryRoom({}, store);
    const order: string[] = [];
    const gone = failureOf(locks.acquire('a', { ttl: '1s', wait: 50 }));
    const next = locks.using('a', { ttl: '20s' }, async (lock) => {
      order.push('next');
      expect(lock.deadline.getTime()).toBeGreaterThan(Date.now() + 15_000);
      expect((await locks.inspect('a')).holders[0]!.ttlMs).toBeGreaterThan(15_000);
    });
    await tick(10);
    const other = memoryRoom({}, store).locks.using('a', {}, async () => void order.push('other'));
    expect(await gone).toBeInstanceOf(LockBusyError);
    await tick(10);
    await held.release();
    await Promise.all([next, other]);
    expect(order).toEqual(['next', 'other']);
  });

  it('get what the one before them was granted a moment too late, for their own time', async () => {
    const store = new TroubledStore();
    const { locks, bugs } = memoryRoom({}, store);
    let answer!: () => void;
    const asked: number[] = [];
    const { acquire } = MemoryLockStore.prototype;
    jest.spyOn(store, 'acquire').mockImplementation(async (claim) => {
      asked.push(claim.ttlMs);
      const outcome = await acquire.call(store, claim);
      if (asked.length === 1) await new Promise<void>((resolve) => (answer = resolve));
      return outcome;
    });
    const gone = failureOf(locks.acquire('a', { ttl: '1s', wait: 20 }));
    const next = locks.acquire('a', { ttl: '20s' });
    expect(await gone).toBeInstanceOf(LockBusyError);
    answer();
    const lock = await next;
    expect(asked).toEqual([1_000, 20_000]);
    expect((await store.inspect('mutex', 'a')).holders).toMatchObject([{ token: lock.token }]);
    await lock.release();
    expect(bugs).toEqual([]);
  });

  it('20: are all told so together, instead of asking once for each', async () => {
    const store = new TroubledStore();
    const { locks } = memoryRoom({}, store);
    store.trouble = silent;
    const startedAt = performance.now();
    const waiting = Array.from({ length: 20 }, () => failureOf(locks.acquire('a', { wait: '10s' })));
    for (const failure of await Promise.all(waiting)) expect(failure).toBeInstanceOf(LockUnavailableError);
    expect(performance.now() - startedAt).toBeLessThan(5_000); // a second; one for each would be twenty
  });

  it('35: find that they mean another number of permits than the one before them', async () => {
    const { locks } = memoryRoom();
    const all = await locks.semaphore('s', 5).acquire(5);
    const gone = failureOf(locks.semaphore('s', 5).acquire(1, { wait: 20 }));
    const next = failureOf(locks.semaphore('s', 3).acquire(1, { wait: 500 }));
    expect(await gone).toBeInstanceOf(LockBusyError);
    expect(await next).toBeInstanceOf(LimitMismatchError);
    await all.release();
  });

  it('51: learn in a shutdown that another process can serve them, and who would not have waited that it is busy', async () => {
    const store = new TroubledStore();
    store.trouble = async () => ({ state: 'busy', retryInMs: 30_000 });
    const { room, locks } = memoryRoom({}, store);
    room.stopWaiting();
    await expect(locks.acquire('a', { wait: '5s' })).rejects.toThrow(LockShutdownError);
    await expect(locks.tryAcquire('a')).resolves.toBeNull();
  });
});
