import { defineKey, type Key } from '@roost/redis';
import type { Topic } from './presence.store.js';

// All that belongs to one topic lives in one slot. An hour is renewed by every node that has members there.
const topic = { slot: 'topic', ttl: '1h' } as const;

/** User → number of devices, 0 in a grace; the empty field holds the version. */
const usersKey = defineKey('presence:users:{topic}', { ...topic, maxBytes: 200_000 });
/** User and device → incarnation of the node, and what the device says of itself. */
const membersKey = defineKey('presence:members:{topic}', { ...topic, maxBytes: 400_000 });
/** User → when the grace ends, by the server's clock. */
const gracesKey = defineKey('presence:graces:{topic}', { ...topic, maxBytes: 50_000 });
/** The last diffs of a room; an entry's id is its version. */
const logKey = defineKey('presence:log:{topic}', { ...topic, maxBytes: 50_000 });
/** User → last sign of life, of those who are no longer online. */
const seenKey = defineKey('presence:seen:{topic}', { ...topic, ttl: '30d', maxBytes: 500_000 });

// One slot for what nodes know of each other.
const nodes = { tag: 'presence', ttl: '1h' } as const;

/** Node → end of its lease; `!node seenAt` → when a dead one may be claimed. */
const nodesKey = defineKey('presence:nodes', { ...nodes, maxBytes: 5_000 });
/** Where a node has members. */
const ownedKey = defineKey('presence:owned:{node}', { ...nodes, maxBytes: 100_000 });

/** Every kind of key this lib writes. */
export const presenceKeys = [usersKey, membersKey, gracesKey, logKey, seenKey, nodesKey, ownedKey] as const;

/** The keys of a topic, which scripts take all together. */
export interface TopicKeys {
  readonly users: Key;
  readonly members: Key;
  readonly graces: Key;
  readonly log: Key;
  readonly seen: Key;
}

/** Where what belongs to a topic stands. */
export function topicKeysOf({ name }: Topic): TopicKeys {
  const part = { topic: name };
  return {
    users: usersKey.of(part),
    members: membersKey.of(part),
    graces: gracesKey.of(part),
    log: logKey.of(part),
    seen: seenKey.of(part),
  };
}

/** Where the leases of all nodes stand. */
export const nodesKeyName: Key = nodesKey.of({});

/** Where it stands in which topics a node has members. */
export function ownedKeyOf(node: string): Key {
  return ownedKey.of({ node });
}
