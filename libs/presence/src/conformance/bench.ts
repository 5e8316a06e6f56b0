import type { PresenceStore, RoomDiff, StoredMember, Topic } from '../stores/presence.store.js';
import { onlineTopic, roomTopic } from '../stores/topics.js';

/** What a store under test has to be opened with: how many changes of a room it keeps. */
export const REPLAY = 5;

/** A store under test, opened with {@link REPLAY}. */
export interface OpenedPresenceStore {
  readonly store: PresenceStore;
  /** What listeners to a topic were told, from the first listening on; resolves once they listen. */
  listen(topic: Topic): Promise<readonly RoomDiff[]>;
  /** Lets time go by for all that is stored, without waiting for it. */
  pass(ms: number): void | Promise<void>;
  close(): void | Promise<void>;
}

/** Asks a store about rooms, users and nodes that no other test has. */
export class Bench {
  readonly #random = Math.random().toString(36).slice(2);

  constructor(readonly opened: OpenedPresenceStore) {}

  get store(): PresenceStore {
    return this.opened.store;
  }

  room(name = 'a'): Topic {
    return roomTopic(`${name}-${this.#random}`);
  }

  /** The list that the user is on while online. */
  online(userId: string): Topic {
    return onlineTopic(this.user(userId));
  }

  /** A user whom no other test has, as lists of who is online are for all. */
  user(name: string): string {
    return `${name}-${this.#random}`;
  }

  /** A node by the name it has in a test, in its first incarnation. */
  node(name = 'here', incarnation = 1): string {
    return `${name}-${this.#random}.${incarnation}`;
  }

  member(userId: string, deviceId = 'phone', more: Partial<StoredMember> = {}): StoredMember {
    return { userId, deviceId, node: this.node(), meta: 'null', ...more };
  }

  /** Who is there, sorted. */
  async users(topic = this.room()): Promise<string[]> {
    return [...(await this.store.state(topic)).users].sort();
  }
}

/** One promise of a store, which is broken when it rejects. */
export interface PresenceVector {
  readonly name: string;
  check(bench: Bench): Promise<void>;
}

/** Promises by their names. */
export function vectorsOf(checks: Readonly<Record<string, (bench: Bench) => Promise<void>>>): PresenceVector[] {
  return Object.entries(checks).map(([name, check]) => ({ name, check }));
}

/** Someone who leaves on purpose. */
export const AT_ONCE = { silentMs: 0, goneAfterMs: 0 } as const;
/** Someone whose connection has just ended, and who may be back. */
export const DROPPED = { silentMs: 0, goneAfterMs: 10_000 } as const;
