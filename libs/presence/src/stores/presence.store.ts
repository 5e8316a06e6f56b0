/**
 * What members are kept for: a room, or one of the lists of all who are online. Rooms are told of every change, and
 * remember the last ones; lists of who is online remember when users were last seen.
 */
export interface Topic {
  readonly kind: 'room' | 'online';
  /** Unique among both kinds. */
  readonly name: string;
}

/** One device of a user, as a node says it. */
export interface StoredMember {
  readonly userId: string;
  readonly deviceId: string;
  /** The node, with its incarnation: `<node>.<incarnation>`. */
  readonly node: string;
  /** What the device says of itself, as JSON. */
  readonly meta: string;
}

/** A device in a room. */
export interface Device {
  readonly userId: string;
  readonly deviceId: string;
  /** What the device says of itself. */
  readonly meta: unknown;
}

/** A device whose `meta` has changed. */
export type DeviceUpdate = Device;

/** One change of a room: what `version` has that `version - 1` had not. */
export interface RoomDiff {
  readonly version: number;
  readonly joins: readonly string[];
  readonly leaves: readonly string[];
  readonly updates: readonly DeviceUpdate[];
}

/** Who is in a room at one moment; users whose grace runs are in it. */
export interface RoomState {
  readonly version: number;
  readonly users: readonly string[];
}

/** What a change came to: `told` when all who watch were told, and until when the next grace of the topic runs. */
export interface Change {
  /** The room's version after it; 0 for lists of who is online. */
  readonly version: number;
  readonly told: number;
  /** Ms until the earliest grace of the topic ends; null when none runs. */
  readonly graceMs: number | null;
}

/** How a device went. */
export interface Departure {
  /** How long ago its last sign of life was, in ms. */
  readonly silentMs: number;
  /** How long after its last sign of life the user is gone; 0 for one who leaves on purpose. */
  readonly goneAfterMs: number;
}

/** A node that was not heard of for too long, claimed by the one who asked. */
export interface DeadNode {
  readonly node: string;
  /** Its last sign of life, ms since 1970 by the store's clock. */
  readonly seenAtMs: number;
}

/** What a store says to a sign of life. */
export interface Beat {
  /** False when the store did not know the node: all its members have to be told again. */
  readonly known: boolean;
  readonly dead: readonly DeadNode[];
}

/**
 * Keeps who is where. Every verb may be repeated: devices are told apart by user and device, nodes by their incarnation.
 * Implementations agree: see `testing.ts`.
 */
export abstract class PresenceStore {
  abstract readonly name: 'redis' | 'memory';

  /** A sign of life of a node, which is dead `leaseMs` after its last one. With `claim` it takes over nodes that are. */
  abstract beat(node: string, leaseMs: number, claim: boolean): Promise<Beat>;
  /** Notes where a node has members or graces, so that others can clean up after it. Comes before its members. */
  abstract own(node: string, topics: readonly Topic[]): Promise<void>;
  abstract disown(node: string, topics: readonly Topic[]): Promise<void>;
  abstract ownedBy(node: string): Promise<readonly Topic[]>;
  /** Ends a node's lease, and puts it up to be claimed in `claimableMs`. Resolves to whether there are other nodes. */
  abstract resign(node: string, claimableMs: number): Promise<boolean>;
  /** Forgets a node whose members are all gone. */
  abstract bury(node: string): Promise<void>;

  /** Adds a device, or renews what it says of itself. */
  abstract join(topic: Topic, member: StoredMember): Promise<Change>;
  /**
   * Takes a device away when it is the node's, in whichever incarnation. One that is not known was there all the same, if
   * this store forgot it or could not be told: its user has what is left of the grace.
   */
  abstract leave(topic: Topic, member: Omit<StoredMember, 'meta'>, departure: Departure): Promise<Change>;
  /** Takes all devices of one incarnation of a node away. */
  abstract leaveNode(topic: Topic, node: string, seenAtMs: number, goneAfterMs: number): Promise<Change>;
  /** Tells of users whose grace is over; with `all`, of those whose grace still runs, too. */
  abstract expire(topic: Topic, all?: boolean): Promise<Change>;
  /** Keeps what belongs to topics from being forgotten. */
  abstract keep(node: string, topics: readonly Topic[]): Promise<void>;

  abstract state(topic: Topic): Promise<RoomState>;
  /** What came after a version, in order; undefined when that is no longer known. */
  abstract since(topic: Topic, version: number): Promise<readonly RoomDiff[] | undefined>;
  abstract count(topic: Topic): Promise<number>;
  abstract devices(topic: Topic): Promise<readonly Device[]>;
  /** Which of the users are in the topic. */
  abstract among(topic: Topic, userIds: readonly string[]): Promise<readonly string[]>;
  /** When a user of a list of who is online was last seen, ms since 1970; null for never, or too long ago. */
  abstract lastSeen(topic: Topic, userId: string): Promise<number | null>;
  /** Now by the store's clock, ms since 1970. */
  abstract now(): Promise<number>;
}

/** How long topics are remembered without a sign of life of a node that has members in them. */
export const TOPIC_TTL_MS = 3_600_000;
/** How long a topic without members is remembered. */
export const EMPTY_TTL_MS = 60_000;
/** After how long a claimed node may be claimed by another, as the first claimant may have died. */
export const CLAIM_MS = 10_000;
