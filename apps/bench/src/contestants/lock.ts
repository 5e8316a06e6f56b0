import { setTimeout as sleep } from 'node:timers/promises';
import { MANY_KEYS, type Opened } from '../contestant.js';

/** What every lock of the suite `locks` can do. */
export interface Locker {
  /** Waits as long as it takes. Resolves to what gives the lock back. */
  acquire(key: string): Promise<() => Promise<unknown>>;
  close(): Promise<void> | void;
}

/** How long a lock lives, in ms: nobody holds one for so long, so that nobody has to renew it. */
export const LOCK_TTL_MS = 10_000;

const KEYS = Array.from({ length: MANY_KEYS }, (_, index) => `car:${index}`);
/** More than it takes to ask Redis, less than it takes to ask again. */
const SOON_MS = 5;

/** Opens a lock; one operation takes a lock that nobody else wants, and gives it back. */
export function openLock(locker: Locker): Opened {
  return {
    async operate(index) {
      const release = await locker.acquire(KEYS[index % MANY_KEYS]!);
      await release();
      return true;
    },
    acquire: (key) => locker.acquire(key),
    verify: () => problemOf(locker),
    close: () => locker.close(),
  };
}

/** A second caller has to wait for the first, and no longer than that. */
async function problemOf(locker: Locker): Promise<string | undefined> {
  const release = await locker.acquire('verify');
  let granted = false;
  const second = locker.acquire('verify').then((releaseSecond) => {
    granted = true;
    return releaseSecond();
  });
  await sleep(SOON_MS);
  if (granted) return 'granted one lock to two at once';
  await release();
  await second;
  return undefined;
}
