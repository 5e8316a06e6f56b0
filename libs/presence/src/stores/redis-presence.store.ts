import type { Commands, Key, PubSub } from '@roost/redis';
import { beatNode, buryNode, resignNode } from './nodes.lua.js';
import { nodesKeyName, ownedKeyOf, topicKeysOf } from './presence.keys.js';
import {
  PresenceStore,
  TOPIC_TTL_MS,
  type Beat,
  type Change,
  type Departure,
  type Device,
  type RoomDiff,
  type RoomState,
  type StoredMember,
  type Topic,
} from './presence.store.js';
import { expireGraces, joinTopic, leaveTopic, leaveTopicAsNode } from './topic.lua.js';
import { channelOf, topicOf } from './topics.js';
import { deviceIn, diffOf, fieldOf, SEPARATOR, type WireDiff } from './wire.js';

/** What a {@link RedisPresenceStore} stands on. */
export interface RedisPresenceStoreParts {
  readonly commands: Commands;
  /** Knows what channels are called in Redis. */
  readonly pubsub: Pick<PubSub, 'wire'>;
  /** How many changes of a room are kept. */
  readonly replay: number;
  /** For how long it is remembered when users were last seen, in ms. */
  readonly lastSeenForMs: number;
}

/** Keeps who is where in Redis, by Redis' clock: every change is one script, in the slot of its topic. */
export class RedisPresenceStore extends PresenceStore {
  readonly name = 'redis';

  constructor(private readonly parts: RedisPresenceStoreParts) {
    super();
  }

  beat(node: string, leaseMs: number, claim: boolean): Promise<Beat> {
    return this.#commands.run(beatNode, { nodes: nodesKeyName }, { node, leaseMs, claim: claim ? 1 : 0 });
  }

  async own(node: string, topics: readonly Topic[]): Promise<void> {
    if (topics.length === 0) return;
    const key = ownedKeyOf(node);
    await this.#each('write', [
      ['SADD', key, ...topics.map(({ name }) => name)],
      ['PEXPIRE', key, TOPIC_TTL_MS],
    ]);
  }

  async disown(node: string, topics: readonly Topic[]): Promise<void> {
    if (topics.length === 0) return;
    await this.#commands.write('SREM', ownedKeyOf(node), ...topics.map(({ name }) => name));
  }

  async ownedBy(node: string): Promise<readonly Topic[]> {
    return (await this.#commands.read<string[]>('SMEMBERS', ownedKeyOf(node))).map(topicOf);
  }

  resign(node: string, claimableMs: number): Promise<boolean> {
    return this.#commands.run(resignNode, { nodes: nodesKeyName }, { node, claimableMs });
  }

  async bury(node: string): Promise<void> {
    await this.#commands.run(buryNode, { nodes: nodesKeyName, owned: ownedKeyOf(node) }, { node });
  }

  join(topic: Topic, { userId, deviceId, node, meta }: StoredMember): Promise<Change> {
    return this.#commands.run(joinTopic, topicKeysOf(topic), { ...this.#head(topic), userId, deviceId, node, meta });
  }

  leave(topic: Topic, { userId, deviceId, node }: Omit<StoredMember, 'meta'>, departure: Departure): Promise<Change> {
    const args = { ...this.#head(topic), userId, deviceId, node, ...departure };
    return this.#commands.run(leaveTopic, topicKeysOf(topic), args);
  }

  async leaveNode(topic: Topic, node: string, seenAtMs: number, goneAfterMs: number): Promise<Change> {
    const [keys, head] = [topicKeysOf(topic), this.#head(topic)];
    let [told, cursor] = [0, '0'];
    for (;;) {
      const part = await this.#commands.run(leaveTopicAsNode, keys, { ...head, node, seenAtMs, goneAfterMs, cursor });
      told += part.change.told;
      cursor = part.cursor;
      if (cursor === '0') return { ...part.change, told };
    }
  }

  async expire(topic: Topic, all = false): Promise<Change> {
    let told = 0;
    for (;;) {
      const args = { ...this.#head(topic), all: all ? 1 : 0 };
      const change = await this.#commands.run(expireGraces, topicKeysOf(topic), args);
      told += change.told;
      if (change.graceMs === null || (!all && change.graceMs > 0)) return { ...change, told };
    }
  }

  async keep(node: string, topics: readonly Topic[]): Promise<void> {
    const keys: Key[] = [nodesKeyName, ownedKeyOf(node)];
    for (const topic of topics) {
      const { users, members, graces, log } = topicKeysOf(topic);
      keys.push(users, members, graces, log);
    }
    await this.#each(
      'write',
      keys.map((key) => ['PEXPIRE', key, TOPIC_TTL_MS]),
    );
  }

  async state(topic: Topic): Promise<RoomState> {
    const pairs = await this.#commands.read<string[]>('HGETALL', topicKeysOf(topic).users);
    let version = 0;
    const users: string[] = [];
    for (let i = 0; i < pairs.length; i += 2) {
      if (pairs[i] === '') version = Number(pairs[i + 1]);
      else users.push(pairs[i]!);
    }
    return { version, users };
  }

  async since(topic: Topic, version: number): Promise<readonly RoomDiff[] | undefined> {
    const { users, log } = topicKeysOf(topic);
    // The version first: what comes in between is then in the log, and no gap.
    const [now, entries] = (await this.#each('read', [
      ['HGET', users, ''],
      ['XRANGE', log, `${version + 1}-0`, '+'],
    ])) as [string | null, [string, [string, string]][]];
    const diffs = entries.map(([, [, text]]) => diffOf(JSON.parse(text) as WireDiff));
    if (diffs.length === 0) return Number(now) === version ? [] : undefined;
    const whole = diffs.every((diff, index) => diff.version === version + 1 + index);
    return whole && version + diffs.length >= Number(now) ? diffs : undefined;
  }

  async count(topic: Topic): Promise<number> {
    const fields = await this.#commands.read<number>('HLEN', topicKeysOf(topic).users);
    return topic.kind === 'room' ? Math.max(0, fields - 1) : fields;
  }

  async devices(topic: Topic): Promise<readonly Device[]> {
    const pairs = await this.#commands.read<string[]>('HGETALL', topicKeysOf(topic).members);
    const devices = new Map<string, Device>();
    for (let i = 0; i < pairs.length; i += 2) {
      const value = pairs[i + 1]!;
      const device = deviceIn(pairs[i]!, value.slice(value.indexOf(SEPARATOR) + 1));
      devices.set(fieldOf(device), device); // on several nodes it is one
    }
    return [...devices.values()];
  }

  async among(topic: Topic, userIds: readonly string[]): Promise<readonly string[]> {
    if (userIds.length === 0) return [];
    const counts = await this.#commands.read<(string | null)[]>('HMGET', topicKeysOf(topic).users, ...userIds);
    return userIds.filter((_, index) => counts[index] !== null);
  }

  async lastSeen(topic: Topic, userId: string): Promise<number | null> {
    const score = await this.#commands.read<string | null>('ZSCORE', topicKeysOf(topic).seen, userId);
    return score === null ? null : Number(score);
  }

  async now(): Promise<number> {
    const [seconds, micros] = await this.#commands.read<[string, string]>('TIME');
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  }

  get #commands(): Commands {
    return this.parts.commands;
  }

  #head(topic: Topic) {
    const { pubsub, replay, lastSeenForMs } = this.parts;
    const channel = topic.kind === 'room' ? pubsub.wire(channelOf(topic)) : '';
    return { channel, replay, seenForMs: lastSeenForMs };
  }

  /** @throws the first failure. */
  async #each(...pipeline: Parameters<Commands['pipeline']>): Promise<unknown[]> {
    const replies = await this.#commands.pipeline(...pipeline);
    for (const reply of replies) if (reply instanceof Error) throw reply;
    return replies;
  }
}
