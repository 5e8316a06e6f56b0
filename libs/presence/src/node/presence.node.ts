import { isRedisUnavailable } from '@roost/redis';
import type { Change, Departure, Topic } from '../stores/presence.store.js';
import { Graces } from './graces.js';
import { inBatches } from './in-batches.js';
import { LocalGraces } from './local-graces.js';
import { LocalMembers, type LocalMember } from './local-members.js';
import { NodeLife, type LifeParts } from './node.life.js';
import { OwnedTopics } from './owned-topics.js';
import { UnheardLeaves, type UnheardLeave } from './unheard-leaves.js';

export type NodeParts = Pick<LifeParts, 'config' | 'store' | 'reachable' | 'metrics' | 'logger'>;

/** Who is told when the store comes and goes. */
export interface NodeListener {
  /** The store is away: only this process' own members are known. */
  lost(): void;
  /** The store is back, and knows the members of this process again. */
  returned(): void;
  /** While the store is away a user came to a topic, or should be gone from it. */
  local(topic: Topic, userId: string): void;
}

/** How a device goes: on purpose, or because its connection ended so many ms after the last sign of life. */
export type Leaving = { readonly onPurpose: true } | { readonly onPurpose: false; readonly silentMs: number };

/** This process among those that share a store: knows its devices, and tells the store of them. */
export class PresenceNode {
  readonly members = new LocalMembers();
  readonly #graces = new Graces((topic) => void this.#attempt(() => this.#expire(topic)));
  readonly #localGraces = new LocalGraces((topic, userId) => this.#local(topic, userId));
  readonly #owned: OwnedTopics;
  readonly #unheard: UnheardLeaves;
  readonly #life: NodeLife;
  readonly #listeners = new Set<NodeListener>();
  #lost: boolean;
  #closing = false;

  constructor(private readonly parts: NodeParts) {
    this.#lost = !parts.reachable();
    this.#owned = new OwnedTopics(parts.store);
    this.#unheard = new UnheardLeaves(parts.config.goneAfterMs);
    this.#life = new NodeLife({
      ...parts,
      members: this.members,
      owned: this.#owned,
      tellAll: async () => {
        await inBatches(this.members.all(), (member) => this.#inOrder(member, () => this.#put(member, true)));
        await inBatches(this.#unheard.recent, (leave) => this.#leaveUnheard(leave));
      },
      follow: (topic, change) => this.#follow(topic, change),
      isUnused: (topic) => this.#isUnused(topic),
      onTold: () => this.#listeners.forEach((listener) => listener.returned()),
      attempt: (run) => this.#attempt(run),
    });
  }

  /** This process, as the store knows it now. */
  get id(): string {
    return this.#life.id;
  }

  /** Whether only this process' own members are known. */
  get lost(): boolean {
    return this.#lost;
  }

  on(listener: NodeListener): void {
    this.#listeners.add(listener);
  }

  /** Gives signs of life from now on. */
  start(): void {
    this.#life.start();
  }

  /** A sign of life now. Never rejects. */
  beat(): Promise<void> {
    return this.#life.beat();
  }

  /** The store has come or gone. */
  reachabilityChanged(): void {
    const lost = !this.parts.reachable();
    if (lost === this.#lost || this.#life.left) return;
    this.#lost = lost;
    if (lost) for (const listener of this.#listeners) listener.lost();
    this.#life.reachabilityChanged();
  }

  /** Resolves to the version of the topic that has the device in it; undefined when the store could not be told. */
  async join(topic: Topic, userId: string, deviceId: string, meta: string) {
    const member = this.members.hold(topic, userId, deviceId, meta);
    try {
      return { member, version: await this.#inOrder(member, () => this.#put(member)) };
    } catch (error) {
      this.members.release(member);
      throw error;
    }
  }

  /** Tells what a device says of itself now. */
  async update(member: LocalMember, meta: string): Promise<void> {
    if (member.holds === 0) return;
    member.meta = meta;
    await this.#inOrder(member, () => this.#put(member));
  }

  /** Ends one hold of a device, and with the last one its place in the topic. */
  async leave(member: LocalMember, how: Leaving): Promise<void> {
    if (!this.members.release(member) || this.#closing) return;
    const { topic, userId } = member;
    const silentMs = how.onPurpose ? 0 : Math.round(how.silentMs);
    const goneAfterMs = how.onPurpose ? 0 : this.parts.config.goneAfterMs;
    const leave = { member, seenAt: performance.now() - silentMs };
    if (!how.onPurpose) this.#unheard.add(leave);
    const told = this.#inOrder(member, async () => {
      const waitMs = how.onPurpose ? Math.ceil(this.#life.patienceMs) : goneAfterMs;
      if (await this.#takeAway(member, { silentMs, goneAfterMs: waitMs })) this.#unheard.delete(leave);
    });
    this.members.leaving(member, told);
    await told;
    if (this.#lost) this.#localGraces.begin(topic, userId, Math.max(0, goneAfterMs - silentMs));
    if (this.#isUnused(topic)) this.#owned.unused(topic);
  }

  /** Resolves to whether the store has heard it. */
  async #takeAway(member: LocalMember, departure: Departure, again = false): Promise<boolean> {
    const { topic, userId, deviceId } = member;
    const node = this.#life.id;
    const change = await this.#tell(() => this.parts.store.leave(topic, { userId, deviceId, node }, departure), again);
    if (change !== undefined) this.#follow(topic, change);
    return change !== undefined;
  }

  /** Tells the store of one that was here when it could not be told, unless the device is here again. */
  async #leaveUnheard(leave: UnheardLeave): Promise<void> {
    const { member, seenAt } = leave;
    if (!this.members.isHeld(member)) {
      const { goneAfterMs } = this.parts.config;
      // Nobody is gone by this: whoever the user has come to since then may not have told of it yet.
      const silentMs = Math.min(Math.round(performance.now() - seenAt), goneAfterMs - 1);
      const told = this.#inOrder(member, () => this.#takeAway(member, { silentMs, goneAfterMs }, true));
      this.members.leaving(member, told);
      await told;
    }
    this.#unheard.delete(leave);
  }

  /** From now on devices go only all together: the process is about to end. */
  close(): void {
    this.#closing = true;
  }

  /** Takes all devices of this process away; may be called twice. */
  async leaveAll(): Promise<void> {
    this.close();
    this.#graces.close();
    await this.#life.leaveAll();
  }

  async #expire(topic: Topic): Promise<void> {
    const { store, config } = this.parts;
    const patienceMs = this.#life.gracePatienceMs;
    if (patienceMs > 0) return this.#graces.schedule(topic, patienceMs);
    try {
      this.#follow(topic, await store.expire(topic));
    } catch (error) {
      this.#graces.schedule(topic, config.beatMs);
      throw error;
    }
    if (this.#isUnused(topic)) this.#owned.unused(topic);
  }

  /** Tells the store of a device as it is now; what is released is not told again. */
  async #put(member: LocalMember, again = false): Promise<number | undefined> {
    if (member.holds === 0) return undefined;
    const { topic, userId, deviceId, meta, told } = member;
    if (!again && told?.meta === meta) return told.version;
    member.told = undefined;
    const change = await this.#tell(async () => {
      await this.#owned.own(this.#life.id, topic);
      if (this.#life.left) return undefined; // all that is of this process is being taken away
      return this.parts.store.join(topic, { userId, deviceId, meta, node: this.#life.id });
    }, again);
    if (change !== undefined) member.told = { meta, version: change.version };
    if (this.#lost) this.#local(topic, userId);
    return change?.version;
  }

  /** What the store does not hear now is told again later. */
  async #tell(tell: () => Promise<Change | undefined>, rethrow = false): Promise<Change | undefined> {
    if (this.#life.left) return undefined;
    if (!this.parts.reachable()) {
      this.#life.doubt();
      return undefined;
    }
    try {
      return await tell();
    } catch (error) {
      if (!isRedisUnavailable(error)) throw error;
      this.#life.doubt();
      if (rethrow) throw error;
      return undefined;
    }
  }

  #inOrder<T>(member: LocalMember, run: () => Promise<T>): Promise<T> {
    const done = member.order.then(run);
    member.order = done.catch(() => undefined); // the caller of this one hears of it
    return done;
  }

  #follow(topic: Topic, { graceMs }: Change): void {
    if (graceMs !== null) this.#graces.schedule(topic, graceMs);
  }

  #isUnused(topic: Topic): boolean {
    return this.members.isEmpty(topic) && !this.#graces.has(topic);
  }

  #local(topic: Topic, userId: string): void {
    if (this.#lost) for (const listener of this.#listeners) listener.local(topic, userId);
  }

  /** What the store cannot be told now is told again by a later beat; anything else is a bug, and ends nothing. */
  async #attempt(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (isRedisUnavailable(error)) return;
      this.parts.logger.error(`Presence failed: ${String(error)}`, { event: 'presence.bug', error: String(error) });
    }
  }
}
