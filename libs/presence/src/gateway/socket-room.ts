import { outsideRequests } from '@roost/redis';
import type { RoomView, Signal } from '../watching/room-view.js';
import type { PresenceEvent } from '../watching/presence.event.js';
import { PresenceSummary } from './presence-summary.js';
import { Typists } from './typists.js';
import { Frame } from './wire.js';

/** From so many sockets on each gets what happens in a moment as one event: else a thousand who come are a million events. */
const CROWD = 100;
const MOMENT_MS = 50;

/** A socket, as rooms see it. */
export interface RoomPeer {
  readonly userId: string;
  readonly wire: { readonly id: string };
  tell(frame: Frame): void;
  tellMaybe(frame: Frame): void;
  tellPresence(frame: Frame, event: PresenceEvent): void;
}

/** The sockets of this process that are in a room, and what they say to those in all processes. Nothing of it is kept. */
export class SocketRoom {
  readonly peers = new Set<RoomPeer>();
  readonly #typists: Typists;
  readonly #stops: readonly (() => void)[];
  /** What a crowd is to be told next. */
  #summary: PresenceSummary | undefined;
  #moment: NodeJS.Timeout | undefined;

  constructor(
    readonly view: RoomView,
    typingMs: number,
    onBug: (error: unknown) => void,
  ) {
    const say = (userId: string, source: string, active: boolean) =>
      void view.signal({ k: 'typing', u: userId, s: source, a: active }).catch(onBug);
    this.#typists = new Typists(typingMs, say, (userId, active) => this.#tellTyping(userId, active));
    this.#stops = [view.onChange((event) => this.#change(event)), view.onSignal((signal) => this.#hear(signal))];
  }

  /** From now on the socket hears all; first it is told who is there, and who types. */
  enter(peer: RoomPeer): void {
    this.tellState(peer);
    this.peers.add(peer);
    for (const userId of this.#typists.users) {
      if (userId !== peer.userId) peer.tellMaybe(this.#typing(userId, true));
    }
  }

  tellState(peer: RoomPeer): void {
    this.#tellSummary(); // it begins before the state
    const { state } = this.view;
    peer.tellPresence(new Frame('presence', state), state);
  }

  leave(peer: RoomPeer): void {
    this.peers.delete(peer);
    this.#typists.stop(peer.userId, peer.wire.id);
  }

  typing(peer: RoomPeer): void {
    this.#typists.keystroke(peer.userId, peer.wire.id);
  }

  /** Says an event to all sockets in the room, in whichever process. */
  async say(event: string, data: unknown): Promise<void> {
    await this.view.signal({ k: 'event', e: event, d: data });
  }

  async message(peer: RoomPeer, text: string): Promise<void> {
    this.#typists.stop(peer.userId, peer.wire.id);
    await this.say('message', { room: this.view.room, userId: peer.userId, text });
  }

  /** Hears nothing any more; others may go on watching. */
  close(): void {
    for (const stop of this.#stops) stop();
    clearTimeout(this.#moment);
    this.#typists.close();
  }

  #change(event: PresenceEvent): void {
    if (this.#summary !== undefined) return this.#summary.add(event);
    if (this.peers.size <= CROWD) return this.#tell(event);
    this.#summary = new PresenceSummary(event);
    this.#moment = outsideRequests(() => setTimeout(() => this.#tellSummary(), MOMENT_MS).unref());
  }

  #tellSummary(): void {
    clearTimeout(this.#moment);
    const summary = this.#summary;
    this.#summary = undefined;
    if (summary !== undefined) this.#tell(summary.event);
  }

  #tell(event: PresenceEvent): void {
    const frame = new Frame('presence', event);
    for (const peer of this.peers) peer.tellPresence(frame, event);
  }

  #hear(signal: Signal): void {
    if (signal.k === 'typing')
      return this.#typists.hear(String(signal['u']), String(signal['s']), signal['a'] === true);
    const frame = new Frame(String(signal['e']), signal['d']);
    for (const peer of this.peers) peer.tell(frame);
  }

  #tellTyping(userId: string, active: boolean): void {
    const frame = this.#typing(userId, active);
    for (const peer of this.peers) if (peer.userId !== userId) peer.tellMaybe(frame);
  }

  #typing(userId: string, active: boolean): Frame {
    return new Frame('typing', { room: this.view.room, userId, active });
  }
}
