import { EMPTY_TTL_MS, type Change, type Device, type RoomState, type StoredMember } from './presence.store.js';
import { deviceIn, diffOf, fieldOf, nodeFieldOf, SEPARATOR, type WireDiff } from './wire.js';

/** How a topic in memory tells, and remembers. */
export interface MemoryTopicParts {
  /** How many diffs are kept; 0 for a list of who is online, which tells nothing. */
  readonly replay: number;
  readonly lastSeenForMs: number;
  readonly publish: (text: string) => void;
}

/** One topic: the scripts of `topic.lua.ts` in another language. */
export class MemoryTopic {
  readonly #users = new Map<string, number>();
  readonly #members = new Map<string, { node: string; meta: string }>();
  readonly #graces = new Map<string, number>();
  readonly #seen = new Map<string, number>();
  readonly #log: { readonly version: number; readonly text: string }[] = [];
  #version = 0;
  #emptySince: number | undefined;

  constructor(
    private readonly parts: MemoryTopicParts,
    private readonly now: () => number,
  ) {}

  join({ node, meta, ...member }: StoredMember): Change {
    const { userId, deviceId } = member;
    const field = nodeFieldOf(member, node);
    const before = this.#members.get(field);
    this.#members.set(field, { node, meta });
    if (before !== undefined) {
      if (before.meta === meta) return this.#changed(0);
      this.#tell({ u: [[userId, deviceId, JSON.parse(meta)]] });
      return this.#changed(1);
    }
    const told = this.#add(userId);
    this.#graces.delete(userId);
    return this.#changed(told);
  }

  leave(member: Omit<StoredMember, 'meta'>, seenAtMs: number, goneAfterMs: number): Change {
    let told = 0;
    if (!this.#members.delete(nodeFieldOf(member, member.node))) {
      if (seenAtMs + goneAfterMs <= this.now()) return this.#changed(0);
      told = this.#add(member.userId);
    }
    if (!this.#remove(member.userId, seenAtMs, goneAfterMs)) return this.#changed(told);
    this.#tell({ l: [member.userId] });
    return this.#changed(1);
  }

  leaveNode(node: string, seenAtMs: number, goneAfterMs: number): Change {
    const gone: string[] = [];
    for (const [field, member] of this.#members) {
      if (member.node !== node) continue;
      this.#members.delete(field);
      const userId = field.slice(0, field.indexOf(SEPARATOR));
      if (this.#remove(userId, seenAtMs, goneAfterMs)) gone.push(userId);
    }
    if (gone.length > 0) this.#tell({ l: gone });
    return this.#changed(gone.length);
  }

  expire(all: boolean): Change {
    const gone: string[] = [];
    for (const [userId, endsAt] of this.#graces) {
      if (!all && endsAt > this.now()) continue;
      this.#graces.delete(userId);
      if (this.#users.get(userId) === 0 && this.#users.delete(userId)) gone.push(userId);
    }
    if (gone.length > 0) this.#tell({ l: gone });
    return this.#changed(gone.length);
  }

  get state(): RoomState {
    return { version: this.#version, users: [...this.#users.keys()] };
  }

  since(version: number) {
    if (version === this.#version) return [];
    const diffs = this.#log.filter((each) => each.version > version);
    if (diffs[0]?.version !== version + 1) return undefined;
    return diffs.map(({ text }) => diffOf(JSON.parse(text) as WireDiff));
  }

  get devices(): readonly Device[] {
    const devices = [...this.#members].map(([field, { meta }]) => deviceIn(field, meta));
    return [...new Map(devices.map((device) => [fieldOf(device), device])).values()]; // on several nodes it is one
  }

  has(userId: string): boolean {
    return this.#users.has(userId);
  }

  seenAt(userId: string): number | null {
    return this.#seen.get(userId) ?? null;
  }

  /** Whether nobody was there for so long that it can be forgotten; those who were seen are remembered. */
  get forgettable(): boolean {
    return this.#seen.size === 0 && this.#emptySince !== undefined && this.now() - this.#emptySince > EMPTY_TTL_MS;
  }

  #add(userId: string): number {
    const devices = (this.#users.get(userId) ?? 0) + 1;
    this.#users.set(userId, devices);
    if (devices > 1 || this.#graces.has(userId)) return 0;
    this.#tell({ j: [userId] });
    return 1;
  }

  #remove(userId: string, seenAtMs: number, goneAfterMs: number): boolean {
    const left = Math.max(0, (this.#users.get(userId) ?? 0) - 1);
    this.#users.set(userId, left);
    const endsAt = Math.max(seenAtMs + goneAfterMs, this.#graces.get(userId) ?? 0);
    if (seenAtMs + goneAfterMs > this.now()) this.#graces.set(userId, endsAt);
    this.#saw(userId, seenAtMs);
    if (left > 0 || endsAt > this.now()) return false;
    this.#users.delete(userId);
    this.#graces.delete(userId);
    return true;
  }

  #saw(userId: string, seenAtMs: number): void {
    if (this.parts.replay > 0) return;
    const before = this.#seen.get(userId) ?? 0;
    this.#seen.delete(userId); // the order of the map is that of the last sign of life, nearly
    this.#seen.set(userId, Math.max(before, seenAtMs));
    for (const [oldest, at] of this.#seen) {
      if (at >= this.now() - this.parts.lastSeenForMs) break;
      this.#seen.delete(oldest);
    }
  }

  #tell(change: Omit<WireDiff, 'v'>): void {
    if (this.parts.replay === 0) return;
    this.#version = (this.#version || Math.floor(this.now() * 1_000)) + 1;
    const text = JSON.stringify({ v: this.#version, ...change } satisfies WireDiff);
    this.#log.push({ version: this.#version, text });
    if (this.#log.length > this.parts.replay) this.#log.shift();
    this.parts.publish(text);
  }

  #changed(told: number): Change {
    this.#emptySince = this.#users.size > 0 ? undefined : (this.#emptySince ?? this.now());
    const first = Math.min(...this.#graces.values());
    const graceMs = this.#graces.size === 0 ? null : Math.max(0, first - this.now());
    return { version: this.#version, told, graceMs };
  }
}
