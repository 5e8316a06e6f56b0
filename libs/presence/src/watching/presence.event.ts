import type { DeviceUpdate } from '../stores/presence.store.js';

/** A user who came or went. */
export interface PresentUser {
  readonly userId: string;
}

/** What changed in a room. */
export interface PresenceEvent {
  readonly room: string;
  /** There when `joins` are all who are in the room: whatever was known before is replaced. */
  readonly state?: true;
  /** The version that it changes. */
  readonly since: number;
  readonly version: number;
  readonly joins: readonly PresentUser[];
  readonly leaves: readonly PresentUser[];
  /** Devices that say something else of themselves. */
  readonly updates?: readonly DeviceUpdate[];
  /** There while the room is known only in part, as Redis is away. */
  readonly partial?: true;
}

/** Makes an event of lists of users. */
export function eventOf(
  room: string,
  [since, version]: readonly [number, number],
  { joins = [], leaves = [], updates = [] }: Changes,
  partial: boolean,
  state = false,
): PresenceEvent {
  return {
    room,
    ...(state && { state }),
    since,
    version,
    joins: joins.map((userId) => ({ userId })),
    leaves: leaves.map((userId) => ({ userId })),
    ...(updates.length > 0 && { updates }),
    ...(partial && { partial }),
  };
}

/** Who came, who went, and which devices say something else. */
export interface Changes {
  readonly joins?: readonly string[];
  readonly leaves?: readonly string[];
  readonly updates?: readonly DeviceUpdate[];
}
