import { LockLostError, LockReentryError } from '../lock.errors.js';
import { memoryRoom } from '../conformance/memory-room.js';

const tick = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

describe('re-entry', () => {
  it('tells a second entry that outlived its section that it ran without the lock', async () => {
    const { locks } = memoryRoom();
    let nested!: Promise<unknown>;
    await locks.using('a', {}, async () => {
      nested = locks.using('a', { reentrant: true }, async (lock) => {
        await tick(20);
        return lock.held;
      });
      nested.catch(() => undefined);
      await tick(5);
    });
    await expect(nested).rejects.toThrow(LockLostError);
  });

  it('refuses a third entry when the lock was given back under the second', async () => {
    const { locks } = memoryRoom();
    const ran = jest.fn(() => Promise.resolve());
    let nested!: Promise<unknown>;
    await locks.using('a', {}, async () => {
      nested = locks.using('a', { reentrant: true }, async () => {
        await tick(20);
        await locks.using('a', { reentrant: true }, ran);
      });
      nested.catch(() => undefined);
      await tick(5);
    });
    await expect(nested).rejects.toThrow(LockLostError);
    expect(ran).not.toHaveBeenCalled();
  });

  it('refuses a second entry into a lock that was lost', async () => {
    const { locks, store } = memoryRoom();
    const ran = jest.fn(() => Promise.resolve());
    const section = locks.using('a', { ttl: 150 }, async (lock) => {
      await store.force('mutex', 'a');
      await new Promise((resume) => lock.signal.addEventListener('abort', resume));
      await locks.using('a', { reentrant: true }, ran);
    });
    await expect(section).rejects.toThrow(LockLostError);
    expect(ran).not.toHaveBeenCalled();
  });

  it('asks anew for a lock that the section gave back by hand', async () => {
    const { locks } = memoryRoom();
    await locks.using('a', {}, async (lock) => {
      await expect(locks.acquire('a')).rejects.toThrow(LockReentryError);
      await lock.release();
      const again = await locks.acquire('a', { reentrant: true });
      expect(again).toMatchObject({ held: true });
      expect(again.token).toBeGreaterThan(lock.token);
      await again.release();
    });
  });
});
