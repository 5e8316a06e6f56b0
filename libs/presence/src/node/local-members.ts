import type { Topic } from '../stores/presence.store.js';
import { fieldOf, SEPARATOR } from '../stores/wire.js';

/** A device in a topic, as long as something in this process holds it there. */
export interface LocalMember {
  readonly topic: Topic;
  readonly userId: string;
  readonly deviceId: string;
  /** What the device says of itself, as JSON. */
  meta: string;
  holds: number;
  /** What the store knows of it, and the version of the topic since then. */
  told: { readonly meta: string; readonly version: number } | undefined;
  /** What the store is told of the device, one thing after the other. */
  order: Promise<unknown>;
}

/** The devices of this process in one topic, and how many each user has. */
interface LocalTopic {
  readonly members: Map<string, LocalMember>;
  readonly users: Map<string, number>;
}

/** The devices of this process: the truth about them, which the store is only told. */
export class LocalMembers {
  readonly #byTopic = new Map<string, LocalTopic>();
  /** What the store is still being told of devices that nothing holds any more. */
  readonly #leaving = new Map<string, Promise<unknown>>();
  #size = 0;

  /** How many devices are held, each in each topic. */
  get size(): number {
    return this.#size;
  }

  /** Holds a device; the first hold is the one that matters. */
  hold(topic: Topic, userId: string, deviceId: string, meta: string): LocalMember {
    const { members, users } = this.#made(topic);
    const field = fieldOf({ userId, deviceId });
    let member = members.get(field);
    if (member === undefined) {
      const order = this.#leaving.get(placeOf({ topic, userId, deviceId })) ?? Promise.resolve();
      member = { topic, userId, deviceId, meta, holds: 0, told: undefined, order };
      members.set(field, member);
      users.set(userId, (users.get(userId) ?? 0) + 1);
      this.#size++;
    }
    member.meta = meta;
    member.holds++;
    return member;
  }

  /** Resolves to whether nothing holds the device any more. */
  release(member: LocalMember): boolean {
    if (--member.holds > 0) return false;
    const { topic, userId } = member;
    const { members, users } = this.#made(topic);
    if (members.delete(fieldOf(member))) {
      this.#size--;
      const left = users.get(userId)! - 1;
      if (left === 0) users.delete(userId);
      else users.set(userId, left);
    }
    if (members.size === 0) this.#byTopic.delete(topic.name);
    return true;
  }

  /** Whether the same device is held, again. */
  isHeld(member: LocalMember): boolean {
    return this.#byTopic.get(member.topic.name)?.members.has(fieldOf(member)) ?? false;
  }

  /** Whoever holds the device again has the store told of it after this. */
  leaving(member: LocalMember, told: Promise<unknown>): void {
    const place = placeOf(member);
    const over = () => {
      if (this.#leaving.get(place) === told) this.#leaving.delete(place);
    };
    this.#leaving.set(place, told);
    void told.then(over, over);
  }

  in({ name }: Topic): readonly LocalMember[] {
    return [...(this.#byTopic.get(name)?.members.values() ?? [])];
  }

  users({ name }: Topic): readonly string[] {
    return [...(this.#byTopic.get(name)?.users.keys() ?? [])];
  }

  has({ name }: Topic, userId: string): boolean {
    return this.#byTopic.get(name)?.users.has(userId) ?? false;
  }

  isEmpty({ name }: Topic): boolean {
    return !this.#byTopic.has(name);
  }

  all(): readonly LocalMember[] {
    return [...this.#byTopic.values()].flatMap(({ members }) => [...members.values()]);
  }

  #made({ name }: Topic): LocalTopic {
    let topic = this.#byTopic.get(name);
    if (topic === undefined) this.#byTopic.set(name, (topic = { members: new Map(), users: new Map() }));
    return topic;
  }
}

function placeOf({ topic, ...device }: Pick<LocalMember, 'topic' | 'userId' | 'deviceId'>): string {
  return topic.name + SEPARATOR + fieldOf(device);
}
