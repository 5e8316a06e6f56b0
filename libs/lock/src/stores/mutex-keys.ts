import type { Key } from '@roost/redis';
import { aliveKeyOf, mutexKeyOf, queueKeyOf, spaceKeys } from './lock.keys.js';

const { state, quarantine } = spaceKeys;

// Written out in full: to spread objects would take longer than all else that a process does about a key.

/** The keys of one mutex, as scripts take them. */
export function keysOfMutex(name: string) {
  return {
    state,
    quarantine,
    lock: mutexKeyOf(name),
    queue: queueKeyOf('mutex', name),
    alive: aliveKeyOf('mutex', name),
  };
}

/** The keys of a claim: the space, then lock, queue and alive of each name. */
export function keysOfMutexes(names: readonly string[]) {
  const locks: Key[] = [];
  for (const name of names) locks.push(mutexKeyOf(name), queueKeyOf('mutex', name), aliveKeyOf('mutex', name));
  return { state, quarantine, locks };
}

/** The keys of several claims of one lock each: the space, then lock and queue of each name. */
export function lockAndQueueKeysOf(names: readonly string[]) {
  const locks: Key[] = [];
  for (const name of names) locks.push(mutexKeyOf(name), queueKeyOf('mutex', name));
  return { state, quarantine, locks };
}

/** Only the locks, as for those who hold them and wait no more. */
export function locksOf(names: readonly string[]) {
  return { state, quarantine, locks: names.map(mutexKeyOf) };
}
