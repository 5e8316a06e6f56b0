import type { PresenceEvent } from '../watching/presence.event.js';
import type { RoomView } from '../watching/room-view.js';
import { SocketRoom, type RoomPeer } from './socket-room.js';

/** A room whose changes the test makes. */
function open() {
  const users = new Set<string>();
  let version = 1;
  let change: (event: PresenceEvent) => void = () => undefined;
  const named = (names: Iterable<string>) => [...names].map((userId) => ({ userId }));
  const view = {
    room: 'lobby',
    onChange: (listener: typeof change) => {
      change = listener;
      return () => (change = () => undefined);
    },
    onSignal: () => () => undefined,
    get state(): PresenceEvent {
      return { room: 'lobby', state: true, since: 0, version, joins: named(users), leaves: [] };
    },
  };
  const room = new SocketRoom(view as unknown as RoomView, 1_000, () => undefined);
  const come = (userId: string) => {
    users.add(userId);
    change({ room: 'lobby', since: version++, version, joins: named([userId]), leaves: [] });
  };
  const go = (userId: string) => {
    users.delete(userId);
    change({ room: 'lobby', since: version++, version, joins: [], leaves: named([userId]) });
  };
  return { room, users, come, go };
}

/** A socket that keeps what it is told. */
function listener() {
  const events: PresenceEvent[] = [];
  const users = new Set<string>();
  const peer: RoomPeer = {
    userId: 'ann',
    wire: { id: 'x' },
    tell: () => undefined,
    tellMaybe: () => undefined,
    tellPresence: (_frame, event) => {
      events.push(event);
      if (event.state) users.clear();
      for (const { userId } of event.joins) users.add(userId);
      for (const { userId } of event.leaves) users.delete(userId);
    },
  };
  return { peer, events, users };
}

describe('SocketRoom', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('tells a few sockets of each change at once, and a crowd of what happens in a moment', () => {
    const { room, users, come, go } = open();
    const first = listener();
    room.enter(first.peer);
    come('a');
    expect(first.events).toHaveLength(2);
    for (let i = 0; i < 100; i++) room.enter(listener().peer);
    for (let i = 0; i < 1_000; i++) {
      come(`user-${i}`);
      if (i % 2) go(`user-${i}`);
    }
    expect(first.events).toHaveLength(2);
    jest.advanceTimersByTime(50);
    expect(first.events).toHaveLength(3);
    expect(first.users).toEqual(users);
    expect(first.events[2]!.since).toBe(first.events[1]!.version);
    jest.advanceTimersByTime(500);
    expect(first.events).toHaveLength(3);
  });

  it('tells one who comes in between nothing that began before', () => {
    const { room, users, come, go } = open();
    const crowd = Array.from({ length: 101 }, listener);
    for (const { peer } of crowd) room.enter(peer);
    come('a');
    const late = listener();
    room.enter(late.peer);
    expect([...late.users]).toEqual(['a']);
    go('a');
    come('b');
    room.tellState(crowd[0]!.peer);
    jest.advanceTimersByTime(50);
    for (const each of [late, ...crowd]) expect(each.users).toEqual(users);
    room.close();
    come('c');
    jest.advanceTimersByTime(500);
    expect(late.users.has('c')).toBe(false);
  });
});
