import { isRedisUnavailable, outsideRequests, type PubSub } from '@roost/redis';
import type { PresenceNode } from '../node/presence.node.js';
import type { PresenceMetrics } from '../presence.metrics.js';
import type { PresenceStore, RoomDiff, RoomState, Topic } from '../stores/presence.store.js';
import { channelOf, roomTopic } from '../stores/topics.js';
import { diffOf, type WireDiff } from '../stores/wire.js';
import { Doubts } from './doubts.js';
import { eventOf, type Changes, type PresenceEvent } from './presence.event.js';
import { VersionWaiters } from './version-waiters.js';

export interface ViewParts {
  readonly store: PresenceStore;
  readonly pubsub: Pick<PubSub, 'publish' | 'subscribe'>;
  readonly node: Pick<PresenceNode, 'lost' | 'members'>;
  readonly metrics: Pick<PresenceMetrics, 'told' | 'resynced'>;
  /** How long users may be missing from a state that was read anew, before they are told to be gone. */
  readonly confirmMs: number;
  readonly onBug: (error: unknown) => void;
}

/** Something that is said in a room and kept nowhere. */
export type Signal = Readonly<Record<string, unknown>> & { readonly k: string };

const RETRY_MS = 250;

/**
 * Who is in a room, as this process knows it: read once, then kept up by diffs, however many watch. A missed diff is
 * replayed from the log. Where that does not reach, the state is read anew, and who is missing in it has the time of a lease
 * to be told again: after a loss of memory, processes come back one after the other.
 */
export class RoomView {
  readonly topic: Topic;
  /** Resolves once the room is known, or cannot be for now. */
  readonly ready: Promise<void>;
  readonly #users = new Set<string>();
  readonly #listeners = new Set<(event: PresenceEvent) => void>();
  readonly #signals = new Set<(signal: Signal) => void>();
  readonly #waiters = new VersionWaiters((version) => this.#version >= version || this.#closed);
  readonly #doubts: Doubts;
  /** Users that were seen only while the store was away. */
  readonly #provisional = new Set<string>();
  readonly #missed: RoomDiff[] = [];
  #version = 0;
  /** Whether versions that were seen are those of the store now. */
  #trusted = true;
  #syncing: Promise<void> | undefined;
  #syncAgain = false;
  #retry: NodeJS.Timeout | undefined;
  #unsubscribe: (() => void) | undefined;
  /** Whether the room is read, or about to be: what is heard before that is in what will be read. */
  #listening = false;
  #closed = false;

  constructor(
    readonly room: string,
    private readonly parts: ViewParts,
  ) {
    this.topic = roomTopic(room);
    this.#doubts = new Doubts({
      confirmMs: parts.confirmMs,
      ask: () => this.#present(),
      gone: (userIds) => this.#tell({ leaves: userIds.filter((userId) => this.#users.delete(userId)) }, this.#version),
    });
    this.ready = this.#open();
  }

  /** All who are in the room, as an event. */
  get state(): PresenceEvent {
    return eventOf(this.room, [0, this.#version], { joins: [...this.#users] }, this.parts.node.lost, true);
  }

  get version(): number {
    return this.#version;
  }

  /** Tells of every change from now on, until the returned function is called. */
  onChange(listener: (event: PresenceEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onSignal(listener: (signal: Signal) => void): () => void {
    this.#signals.add(listener);
    return () => this.#signals.delete(listener);
  }

  /** Says something to all who watch the room now, in whichever process. */
  async signal(signal: Signal): Promise<void> {
    await this.parts.pubsub.publish(channelOf(this.topic), JSON.stringify(signal));
  }

  /** Resolves when the view has come to a version, or does not come to it within a second. */
  async reached(version: number | undefined): Promise<void> {
    await this.ready;
    if (version === undefined || this.#version >= version) return;
    if (!(await this.#waiters.wait(version))) void this.resync();
  }

  /** Finds out what was missed. Never rejects; those that come together are one. */
  resync(): Promise<void> {
    if (this.#syncing !== undefined) {
      this.#syncAgain = true;
      return this.#syncing;
    }
    this.#syncing = this.#sync().finally(() => {
      this.#syncing = undefined;
      for (const diff of this.#missed.splice(0)) this.#take(diff);
      if (this.#syncAgain && !this.#closed) void this.resync();
      this.#syncAgain = false;
    });
    return this.#syncing;
  }

  /** The store is away, or is back: watchers are told that they see a part, or all. */
  async reachabilityChanged(): Promise<void> {
    this.#trusted = false; // the log may come back with old data, or with leaves of those who are here
    if (this.parts.node.lost) return this.#tell({}, this.#version);
    this.#provisional.clear();
    await this.resync();
    this.#tell({}, this.#version);
  }

  /** While the store is away, a user of this process came, or should be gone. */
  local(userId: string): void {
    const here = this.parts.node.members.has(this.topic, userId);
    if (here && !this.#users.has(userId)) {
      this.#users.add(userId);
      this.#provisional.add(userId);
      this.#tell({ joins: [userId] }, this.#version);
    } else if (!here && this.#provisional.delete(userId)) {
      this.#users.delete(userId);
      this.#tell({ leaves: [userId] }, this.#version);
    }
  }

  close(): void {
    this.#closed = true;
    this.#doubts.close();
    clearTimeout(this.#retry);
    this.#unsubscribe?.();
    this.#waiters.wake();
  }

  async #open(): Promise<void> {
    try {
      this.#unsubscribe = await this.parts.pubsub.subscribe(channelOf(this.topic), (text) => this.#hear(text));
      if (this.#closed) return this.#unsubscribe();
      this.#listening = true;
      await this.resync();
    } catch (error) {
      this.parts.onBug(error);
    }
  }

  #hear(text: string): void {
    const said = JSON.parse(text) as WireDiff | Signal;
    if ('v' in said) return this.#take(diffOf(said as WireDiff));
    for (const listener of this.#signals) listener(said as Signal);
  }

  #take(diff: RoomDiff): void {
    if (this.#syncing !== undefined) return void this.#missed.push(diff);
    if (!this.#listening) return;
    if (diff.version <= this.#version) return;
    // The first change of a room that had nobody in it, and so no version.
    const isFirst = this.#version === 0 && this.#users.size === 0;
    if (diff.version === this.#version + 1 || isFirst) this.#apply(diff);
    else void this.resync();
  }

  #apply({ version, joins, leaves, updates }: RoomDiff): void {
    const came = joins.filter((userId) => !this.#users.has(userId));
    // Another process may have said so of those who are here, while this one was cut off: they are told again.
    const gone = leaves.filter((userId) => !this.parts.node.members.has(this.topic, userId));
    const went = gone.filter((userId) => this.#users.delete(userId));
    for (const userId of joins) {
      this.#users.add(userId);
      this.#doubts.delete(userId);
    }
    const since = this.#version;
    this.#version = version;
    this.#tell({ joins: came, leaves: went, updates }, since);
    this.#waiters.wake();
  }

  async #sync(): Promise<void> {
    const { store, node, metrics } = this.parts;
    try {
      if (node.lost) return this.#showOwn();
      const replays = this.#trusted && this.#version > 0;
      const diffs = replays ? await store.since(this.topic, this.#version) : undefined;
      if (diffs !== undefined) {
        if (diffs.length > 0) metrics.resynced('replay');
        return diffs.forEach((diff) => this.#apply(diff));
      }
      this.#adopt(await store.state(this.topic));
    } catch (error) {
      if (!isRedisUnavailable(error)) return this.parts.onBug(error);
      this.#showOwn();
      this.#resyncLater();
    }
  }

  #resyncLater(): void {
    const again = () => {
      this.#retry = undefined;
      void this.resync();
    };
    this.#retry ??= outsideRequests(() => setTimeout(again, RETRY_MS).unref());
  }

  #showOwn(): void {
    for (const userId of this.parts.node.members.users(this.topic)) this.local(userId);
  }

  #adopt({ version, users }: RoomState): void {
    const since = this.#version;
    this.#trusted = true;
    const first = since === 0 && this.#users.size === 0;
    const joins = users.filter((userId) => !this.#users.has(userId));
    const present = new Set(users);
    for (const userId of this.#users) if (!present.has(userId)) this.#doubts.add(userId);
    for (const userId of users) {
      this.#users.add(userId);
      this.#doubts.delete(userId);
    }
    this.#provisional.clear();
    this.#version = version; // lower than before when the store came back with old data
    this.#waiters.wake();
    if (!first) this.parts.metrics.resynced('state');
    if (!first || joins.length > 0) this.#tell({ joins }, since);
  }

  /** Who the store says is there; undefined without an answer. */
  async #present(): Promise<ReadonlySet<string> | undefined> {
    try {
      return this.parts.node.lost ? undefined : new Set((await this.parts.store.state(this.topic)).users);
    } catch (error) {
      if (!isRedisUnavailable(error)) this.parts.onBug(error);
      return undefined;
    }
  }

  #tell(changes: Changes, since: number): void {
    const { joins = [], leaves = [], updates = [] } = changes;
    this.parts.metrics.told(joins.length, leaves.length, updates.length);
    const event = eventOf(this.room, [since, this.#version], changes, this.parts.node.lost);
    for (const listener of this.#listeners) listener(event);
  }
}
