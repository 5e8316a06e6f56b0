import { defineKey, type Key } from '@roost/redis';
import type { LockKind } from './lock.store.js';

// One constant hash tag: several locks, the queue and the space's state are decided by one script, also on a Cluster.
// 90 days outlive every lock; each day with a grant begins them anew.
const space = { tag: 'lock', ttl: '90d' } as const;

/** What the space remembers: `inc` incarnation, `epoch`, `fence` the last sequence number, `seq` the last place in a queue. */
const stateKey = defineKey('lock:state', { ...space, maxBytes: 200 });
/** There while nothing new is granted. */
const quarantineKey = defineKey('lock:quarantine', { ...space, maxBytes: 60 });

const mutexKey = defineKey('lock:mutex:{name}', { ...space, maxBytes: 200 });
/** Holder → weight, token and owner. */
const sharedKey = defineKey('lock:shared:{kind}:{name}', { ...space, maxBytes: 100_000 });
/** Holder → when its time ends, by the server's clock. */
const sharedEndsKey = defineKey('lock:shared-ends:{kind}:{name}', { ...space, maxBytes: 100_000 });
/** Waiter → place in the queue. */
const queueKey = defineKey('lock:queue:{kind}:{name}', { ...space, maxBytes: 100_000 });
/** Waiter → until when it is alive, by the server's clock. */
const aliveKey = defineKey('lock:alive:{kind}:{name}', { ...space, maxBytes: 100_000 });

/** How much of what was done once is remembered, and for how long. */
export const ONCE_LIMITS = { keepMs: 90 * 86_400_000, maxBytes: 1_000_000, defaultBytes: 65_536 } as const;
/** The result of what was done once, and a digest of the request: user data. `once:` and a digest is its lock. */
const onceKey = defineKey('lock:once:{name}', { ...space, maxBytes: ONCE_LIMITS.maxBytes + 23 });

/** Every kind of key this lib writes. */
export const lockKeys = [
  stateKey,
  quarantineKey,
  mutexKey,
  sharedKey,
  sharedEndsKey,
  queueKey,
  aliveKey,
  onceKey,
] as const;

/** The state of the space that all locks of a connection share. */
export const spaceKeys: { readonly state: Key; readonly quarantine: Key } = {
  state: stateKey.of({}),
  quarantine: quarantineKey.of({}),
};

/** Where the holder of a mutex stands. */
export function mutexKeyOf(name: string): Key {
  return mutexKey.of({ name });
}

/** Where those stand who wait, without when they were heard of. */
export function queueKeyOf(kind: LockKind, name: string): Key {
  return queueKey.of({ kind, name });
}

/** Until when those who wait are alive. */
export function aliveKeyOf(kind: LockKind, name: string): Key {
  return aliveKey.of({ kind, name });
}

/** Where those stand who wait. */
export function queueKeysOf(kind: LockKind, name: string): { readonly queue: Key; readonly alive: Key } {
  return { queue: queueKeyOf(kind, name), alive: aliveKeyOf(kind, name) };
}

/** Where the holders of a read-write lock or a semaphore stand. */
export function sharedKeysOf(kind: LockKind, name: string): { readonly holders: Key; readonly ends: Key } {
  return { holders: sharedKey.of({ kind, name }), ends: sharedEndsKey.of({ kind, name }) };
}

/** Where the result stands of what is done once under the lock of this name. */
export function onceKeyOf(name: string): Key {
  return onceKey.of({ name });
}
