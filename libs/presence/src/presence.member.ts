import type { LocalMember } from './node/local-members.js';
import type { PresenceNode } from './node/presence.node.js';
import { metaText } from './presence.names.js';

/** More than any grace. */
const LONGEST_MS = 2 ** 31;

/** A device in a room, held by whoever joined it until it leaves or its process ends. */
export class PresenceMember {
  #left = false;

  /** @internal */
  constructor(
    readonly room: string,
    /** The version of the room that has the device in it; undefined when Redis could not be told yet. */
    readonly version: number | undefined,
    private readonly node: PresenceNode,
    private readonly inRoom: LocalMember,
    private readonly online: LocalMember,
  ) {}

  get userId(): string {
    return this.inRoom.userId;
  }

  get deviceId(): string {
    return this.inRoom.deviceId;
  }

  /**
   * Says something else of the device. Told to all who watch when it is something else.
   * @throws InvalidPresenceMetaError when it is no JSON, or longer than 1 kB.
   */
  async update(meta: unknown): Promise<void> {
    if (!this.#left) await this.node.update(this.inRoom, metaText(meta));
  }

  /** Leaves on purpose: the user is gone at once, unless another device is there. */
  async leave(): Promise<void> {
    await this.#end({ onPurpose: true });
  }

  /** The connection has ended: the user is gone `goneAfter` after the last sign of life, unless back before. */
  async drop(/** Ms since the last sign of life. */ silentMs = 0): Promise<void> {
    await this.#end({ onPurpose: false, silentMs: sensible(silentMs) });
  }

  async #end(how: Parameters<PresenceNode['leave']>[1]): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    // Who leaves a room may be online still; as nobody can tell, it is as if the connection had ended.
    const offline = how.onPurpose ? { onPurpose: false as const, silentMs: 0 } : how;
    await Promise.all([this.node.leave(this.inRoom, how), this.node.leave(this.online, offline)]);
  }
}

/** A device that is online, in whichever rooms. */
export class OnlineDevice {
  #left = false;

  /** @internal */
  constructor(
    private readonly node: PresenceNode,
    private readonly online: LocalMember,
  ) {}

  /** The connection has ended: the user is offline `goneAfter` after the last sign of life, unless back before. */
  async drop(/** Ms since the last sign of life. */ silentMs = 0): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    await this.node.leave(this.online, { onPurpose: false, silentMs: sensible(silentMs) });
  }
}

/** A clock that was set may say anything; a device that goes has to go. */
function sensible(silentMs: number): number {
  return silentMs > 0 ? Math.min(silentMs, LONGEST_MS) : 0;
}
