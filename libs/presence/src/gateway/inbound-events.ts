import type { GatewayConfig } from '../presence.config.js';
import {
  InvalidEventError,
  NotInRoomError,
  RoomForbiddenError,
  TooManyEventsError,
  TooManyRoomsError,
} from '../presence.errors.js';
import { checkedName } from '../presence.names.js';
import type { PresenceService } from '../presence.service.js';
import type { Peer, Seat } from './peer.js';
import type { SocketRooms } from './socket-rooms.js';

/** What clients ask for. */
export class InboundEvents {
  constructor(
    private readonly config: GatewayConfig,
    private readonly presence: PresenceService,
    private readonly rooms: SocketRooms,
  ) {}

  /** @throws what the client is to be told. */
  async handle(peer: Peer, event: 'join' | 'leave' | 'typing' | 'message', body: unknown): Promise<void> {
    const { userId, wire } = peer;
    const asked = { event, userId, socketId: wire.id, address: wire.address };
    if ((await this.config.limit?.(asked)) === false) throw new TooManyEventsError('Too many events. Wait a moment.');
    const { room: name, text } = fieldsOf(body);
    const room = checkedName('room', name);
    if (event === 'join') return this.#join(peer, room);
    const seat = peer.seats.get(room);
    if (seat === undefined) {
      if (event === 'leave') return;
      throw new NotInRoomError('Join the room first.');
    }
    if (event === 'leave') return this.#leave(peer, seat);
    if (event === 'typing') return seat.room.typing(peer);
    await seat.room.message(peer, this.#text(text));
  }

  async #join(peer: Peer, name: string): Promise<void> {
    if (peer.closed) return; // it went while this waited
    const seat = peer.seats.get(name);
    if (seat !== undefined) return seat.room.tellState(peer);
    if (peer.seats.size >= this.config.maxRooms) {
      throw new TooManyRoomsError(`A socket may be in ${this.config.maxRooms} rooms. Leave one first.`);
    }
    if ((await this.config.authorize(peer.identity, name)) !== true) {
      throw new RoomForbiddenError('This user may not be in the room.');
    }
    const room = this.rooms.enter(name);
    try {
      await room.view.ready; // so that nobody is told twice of who joins now
      const { userId, identity, wire } = peer;
      const member = await this.presence.join(name, { userId, deviceId: wire.id, meta: identity.meta });
      await room.view.reached(member.version);
      if (peer.closed) {
        await member.drop(wire.silentMs);
        return this.rooms.exit(room);
      }
      peer.seats.set(name, { room, member });
    } catch (error) {
      this.rooms.exit(room);
      throw error;
    }
    room.enter(peer);
  }

  async #leave(peer: Peer, { room, member }: Seat): Promise<void> {
    peer.seats.delete(member.room);
    room.leave(peer);
    this.rooms.exit(room);
    await member.leave();
  }

  #text(text: unknown): string {
    const { maxTextLength } = this.config;
    if (typeof text !== 'string' || text.length === 0 || text.length > maxTextLength || !text.isWellFormed()) {
      throw new InvalidEventError(`Expected \`text\` to be 1 to ${maxTextLength} characters.`);
    }
    return text;
  }
}

function fieldsOf(body: unknown): { readonly room?: unknown; readonly text?: unknown } {
  if (typeof body !== 'object' || body === null) throw new InvalidEventError('Expected an object with a `room`.');
  return body;
}
