import type { Contestant, Opened, Task } from '../contestant.js';
import type { OnlineUsers } from '../heartbeats.js';

/** What every contestant of the suite `presence` can do. */
export interface Presence {
  readonly online: OnlineUsers;
  /** Who is in the room, of the names that it may ask for. */
  room(names: readonly string[]): Promise<readonly string[]>;
  close(): Promise<void> | void;
}

const [MEMBERS, FEW] = [1_000, 50];

/** Opens presence; one operation asks who is in a room. */
export async function openPresence(presence: Presence, { work, brief }: Task): Promise<Opened> {
  const { online } = presence;
  const names = Array.from({ length: brief ? FEW : MEMBERS }, (_, i) => `member-${i}`);
  if (work === 'room') await online.come(names);
  return {
    operate: async () => (await presence.room(names)).length === names.length,
    online,
    close: () => presence.close(),
  };
}

/** Nobody is there: what is left is what the server does for itself. */
export const nobody: Contestant = (task) => {
  const online: OnlineUsers = {
    come: () => Promise.resolve(),
    beat: () => Promise.resolve(),
    count: (userIds) => Promise.resolve(userIds.length),
  };
  return openPresence({ online, room: (names) => Promise.resolve(names), close: () => undefined }, task);
};
