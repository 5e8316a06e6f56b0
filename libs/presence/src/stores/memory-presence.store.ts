import { MemoryTopic } from './memory-topic.js';
import {
  CLAIM_MS,
  PresenceStore,
  type Beat,
  type Change,
  type DeadNode,
  type Departure,
  type Device,
  type RoomDiff,
  type RoomState,
  type StoredMember,
  type Topic,
} from './presence.store.js';
import { topicOf } from './topics.js';

export interface MemoryPresenceStoreOptions {
  /** How many changes of a room are kept. */
  readonly replay: number;
  readonly lastSeenForMs: number;
  /** Tells all who listen to a topic. */
  readonly publish: (topic: Topic, text: string) => void;
  /** Ms since 1970. @default Date.now */
  readonly now?: () => number;
}

/** How many topics are looked at each time, whether they can be forgotten. */
const LOOKS = 4;

/** Keeps who is where in this process. */
export class MemoryPresenceStore extends PresenceStore {
  readonly name = 'memory';
  readonly #topics = new Map<string, MemoryTopic>();
  readonly #leases = new Map<string, number>();
  /** Node → its last sign of life, and when it may be claimed. */
  readonly #dead = new Map<string, { readonly seenAtMs: number; claimableAt: number }>();
  readonly #owned = new Map<string, Set<string>>();
  readonly #now: () => number;

  constructor(private readonly options: MemoryPresenceStoreOptions) {
    super();
    this.#now = options.now ?? Date.now;
  }

  async beat(node: string, leaseMs: number, claim: boolean): Promise<Beat> {
    const [now, known] = [this.#now(), this.#leases.has(node)];
    this.#leases.set(node, now + leaseMs);
    const dead: DeadNode[] = [];
    if (!claim) return { known, dead };
    for (const [other, endsAt] of this.#leases) {
      if (endsAt > now) continue;
      this.#leases.delete(other);
      this.#dead.set(other, { seenAtMs: endsAt - leaseMs, claimableAt: now });
    }
    for (const [other, each] of this.#dead) {
      if (each.claimableAt > now) continue;
      each.claimableAt = now + CLAIM_MS;
      dead.push({ node: other, seenAtMs: each.seenAtMs });
    }
    return { known, dead };
  }

  async own(node: string, topics: readonly Topic[]): Promise<void> {
    const owned = this.#owned.get(node) ?? new Set();
    this.#owned.set(node, owned);
    for (const { name } of topics) owned.add(name);
  }

  async disown(node: string, topics: readonly Topic[]): Promise<void> {
    for (const { name } of topics) this.#owned.get(node)?.delete(name);
  }

  async ownedBy(node: string): Promise<readonly Topic[]> {
    return [...(this.#owned.get(node) ?? [])].map(topicOf);
  }

  async resign(node: string, claimableMs: number): Promise<boolean> {
    const now = this.#now();
    this.#leases.delete(node);
    this.#dead.set(node, { seenAtMs: now, claimableAt: now + claimableMs });
    return [...this.#leases.values()].some((endsAt) => endsAt >= now);
  }

  async bury(node: string): Promise<void> {
    this.#dead.delete(node);
    this.#leases.delete(node);
    this.#owned.delete(node);
  }

  async join(topic: Topic, member: StoredMember): Promise<Change> {
    return this.#made(topic).join(member);
  }

  async leave(topic: Topic, member: Omit<StoredMember, 'meta'>, departure: Departure): Promise<Change> {
    const { silentMs, goneAfterMs } = departure;
    return this.#made(topic).leave(member, this.#now() - silentMs, goneAfterMs);
  }

  async leaveNode(topic: Topic, node: string, seenAtMs: number, goneAfterMs: number): Promise<Change> {
    return this.#of(topic).leaveNode(node, seenAtMs, goneAfterMs);
  }

  async expire(topic: Topic, all = false): Promise<Change> {
    return this.#of(topic).expire(all);
  }

  async keep(): Promise<void> {} // this process forgets nothing that is in use

  async state(topic: Topic): Promise<RoomState> {
    return this.#of(topic).state;
  }

  async since(topic: Topic, version: number): Promise<readonly RoomDiff[] | undefined> {
    return this.#of(topic).since(version);
  }

  async count(topic: Topic): Promise<number> {
    return this.#of(topic).state.users.length;
  }

  async devices(topic: Topic): Promise<readonly Device[]> {
    return this.#of(topic).devices;
  }

  async among(topic: Topic, userIds: readonly string[]): Promise<readonly string[]> {
    const found = this.#of(topic);
    return userIds.filter((userId) => found.has(userId));
  }

  async lastSeen(topic: Topic, userId: string): Promise<number | null> {
    return this.#of(topic).seenAt(userId);
  }

  async now(): Promise<number> {
    return this.#now();
  }

  /** A topic that nobody was in yet is made up, and not kept. */
  #of(topic: Topic): MemoryTopic {
    return this.#topics.get(topic.name) ?? this.#make(topic);
  }

  #made(topic: Topic): MemoryTopic {
    let found = this.#topics.get(topic.name);
    if (found === undefined) {
      this.#forgetSome();
      this.#topics.set(topic.name, (found = this.#make(topic)));
    }
    return found;
  }

  #make(topic: Topic): MemoryTopic {
    const { replay, lastSeenForMs, publish } = this.options;
    const parts = { replay: topic.kind === 'room' ? replay : 0, lastSeenForMs };
    return new MemoryTopic({ ...parts, publish: (text) => publish(topic, text) }, this.#now);
  }

  /** The oldest are looked at, so that there are never many more than are in use. */
  #forgetSome(): void {
    let looks = LOOKS;
    for (const [name, topic] of this.#topics) {
      if (looks-- === 0) return;
      this.#topics.delete(name);
      if (!topic.forgettable) this.#topics.set(name, topic);
    }
  }
}
