import { Injectable, type MessageEvent } from '@nestjs/common';
import { isRedisUnavailable } from '@roost/redis';
import { randomUUID } from 'node:crypto';
import type { Observable } from 'rxjs';
import type { PresenceNode } from './node/presence.node.js';
import { OnlineDevice, PresenceMember } from './presence.member.js';
import { checkedName, metaText } from './presence.names.js';
import type { Device, PresenceStore, Topic } from './stores/presence.store.js';
import { onlineTopic, roomTopic } from './stores/topics.js';
import type { PresenceEvent, PresentUser } from './watching/presence.event.js';
import type { RoomViews } from './watching/room-views.js';
import { serverSentEvents } from './watching/server-sent-events.js';
import { watchRoom } from './watching/watch-room.js';

/** Who is in a room. */
export interface RoomList {
  readonly room: string;
  /** 0 when the room is known only in part. */
  readonly version: number;
  readonly members: readonly PresentUser[];
  /** True while Redis is away: these are the members of this process only. */
  readonly partial: boolean;
}

/** A device that comes to a room. */
export interface JoiningDevice {
  readonly userId: string;
  /** Which of the user's devices. @default a new one */
  readonly deviceId?: string;
  /** What it says of itself: up to 1 kB of JSON. */
  readonly meta?: unknown;
}

/**
 * Who is here: in all processes that share a Redis, or, while it is away, in this one. Rooms, users and devices are texts of
 * up to 128 characters without control characters; every verb throws `InvalidPresenceNameError` for others.
 */
@Injectable()
export class PresenceService {
  constructor(
    private readonly store: PresenceStore,
    private readonly node: PresenceNode,
    private readonly views: RoomViews,
  ) {}

  /** Whether Redis is away, so that only members of this process are known. */
  get partial(): boolean {
    return this.node.lost;
  }

  /** Which of these users are online. One command for each of at most 16 lists, in one round trip. */
  async online(userIds: readonly string[]): Promise<ReadonlySet<string>> {
    const byTopic = new Map<string, string[]>();
    for (const userId of new Set(userIds)) {
      const { name } = onlineTopic(checkedName('userId', userId));
      const users = byTopic.get(name);
      if (users === undefined) byTopic.set(name, [userId]);
      else users.push(userId);
    }
    const asked = [...byTopic.values()].map((users) => {
      const topic = onlineTopic(users[0]!);
      const own = () => users.filter((userId) => this.node.members.has(topic, userId));
      return this.#ask(() => this.store.among(topic, users), own);
    });
    return new Set((await Promise.all(asked)).flat());
  }

  /** Who is in a room now; users whose connection ended less than `goneAfter` ago are. One command. */
  async list(room: string): Promise<RoomList> {
    const topic = this.#room(room);
    const state = await this.#ask(
      () => this.store.state(topic),
      () => undefined,
    );
    const users = state?.users ?? this.node.members.users(topic);
    const members = users.map((userId) => ({ userId }));
    return { room, version: state?.version ?? 0, members, partial: state === undefined };
  }

  /** How many users are in a room now. One command. */
  count(room: string): Promise<number> {
    const topic = this.#room(room);
    return this.#ask(
      () => this.store.count(topic),
      () => this.node.members.users(topic).length,
    );
  }

  /** The devices in a room, with what they say of themselves. */
  devices(room: string): Promise<readonly Device[]> {
    const topic = this.#room(room);
    return this.#ask(
      () => this.store.devices(topic),
      () => this.node.members.in(topic).map(deviceOf),
    );
  }

  /** Now for who is online, else the last sign of life; null for never, longer ago than `lastSeenFor`, or unknown. */
  async lastSeen(userId: string): Promise<Date | null> {
    const topic = onlineTopic(checkedName('userId', userId));
    return this.#ask(
      async () => {
        const [[online], seen] = await Promise.all([
          this.store.among(topic, [userId]),
          this.store.lastSeen(topic, userId),
        ]);
        if (online !== undefined) return new Date();
        return seen === null ? null : new Date(seen);
      },
      () => (this.node.members.has(topic, userId) ? new Date() : null),
    );
  }

  /**
   * Who is in a room, and every change from then on. With `since`, the version that was last seen, only what came after it,
   * as far as that is known.
   * @example this.presence.watch('lobby').subscribe(({ joins, leaves }) => …)
   */
  watch(room: string, since?: number): Observable<PresenceEvent> {
    this.#room(room);
    return watchRoom(this.views, this.store, room, since);
  }

  /**
   * The same for `@Sse`: the id of an event is its version, and who comes back gets what was missed.
   * @example
   * @Sse('rooms/:room')
   * watch(@Param('room') room: string, @Headers('last-event-id') lastEventId?: string) {
   *   return this.presence.sse(room, lastEventId);
   * }
   */
  sse(room: string, lastEventId?: string): Observable<MessageEvent> {
    const since = /^\d{1,16}$/.test(lastEventId ?? '') ? Number(lastEventId) : undefined;
    return serverSentEvents(this.watch(room, since));
  }

  /** Puts a device into a room, and its user online. Never waits for a Redis that is away: it is told later. */
  async join(room: string, { userId, deviceId = randomUUID(), meta }: JoiningDevice): Promise<PresenceMember> {
    const [topic, text] = [this.#room(room), metaText(meta)];
    checkedName('userId', userId);
    checkedName('deviceId', deviceId);
    const [inRoom, online] = await Promise.all([
      this.node.join(topic, userId, deviceId, text),
      this.node.join(onlineTopic(userId), userId, deviceId, 'null'),
    ]);
    return new PresenceMember(room, inRoom.version, this.node, inRoom.member, online.member);
  }

  /** Puts a device online that is in no room yet. */
  async connect({ userId, deviceId = randomUUID() }: Omit<JoiningDevice, 'meta'>): Promise<OnlineDevice> {
    checkedName('userId', userId);
    checkedName('deviceId', deviceId);
    const { member } = await this.node.join(onlineTopic(userId), userId, deviceId, 'null');
    return new OnlineDevice(this.node, member);
  }

  #room(room: string): Topic {
    return roomTopic(checkedName('room', room));
  }

  /** What the store says, or without it what this process knows by itself. */
  async #ask<T>(ask: () => Promise<T>, own: () => T): Promise<T> {
    if (this.node.lost) return own();
    try {
      return await ask();
    } catch (error) {
      if (!isRedisUnavailable(error)) throw error;
      return own();
    }
  }
}

function deviceOf({ userId, deviceId, meta }: { userId: string; deviceId: string; meta: string }): Device {
  return { userId, deviceId, meta: JSON.parse(meta) as unknown };
}
