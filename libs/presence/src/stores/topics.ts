import { digest } from '@roost/redis';
import type { Topic } from './presence.store.js';

/** Lists of who is online: so many, so that a Redis Cluster spreads them. */
const LISTS = 16;

/** Where the members of a room are kept. */
export function roomTopic(room: string): Topic {
  return { kind: 'room', name: `room:${room}` };
}

/** The list that a user is on while online. */
export function onlineTopic(userId: string): Topic {
  return { kind: 'online', name: `online:${digest(userId).charCodeAt(0) % LISTS}` };
}

/** The topic of this name. */
export function topicOf(name: string): Topic {
  return { kind: name.startsWith('online:') ? 'online' : 'room', name };
}

/** The channel on which all is told that happens in a topic. */
export function channelOf({ name }: Topic): string {
  return `presence:${name}`;
}
