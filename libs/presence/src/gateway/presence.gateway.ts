import { Inject, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { InvalidOptionsError, outsideRequests } from '@roost/redis';
import type { GatewayConfig } from '../presence.config.js';
import { NotInRoomError } from '../presence.errors.js';
import { checkedName } from '../presence.names.js';
import { PresenceRoom } from '../presence.room.js';
import { Admission, leftMs } from './admission.js';
import { doorOf, type Door } from './doors.js';
import { isBug, toldOf } from './exceptions.js';
import type { Identity } from './gateway.options.js';
import { InboundEvents } from './inbound-events.js';
import { Peer } from './peer.js';
import { SocketRooms } from './socket-rooms.js';
import { CLOSE, Frame, type Wire } from './wire.js';

/** What a timer can wait for. */
const LONGEST_MS = 2 ** 31 - 1;
/** How long a client may take to say goodbye to a process that ends. */
const GOODBYE_MS = 1_000;

/**
 * Presence, typing and messages for sockets: in come `join {room}`, `leave {room}`, `typing {room}` and
 * `message {room, text}`, out go `presence`, `typing`, `message` and `exception {code}`. Serves Socket.IO in the namespace
 * `/presence`; with the adapter for plain `ws`, which has no namespaces, extend it with a path of its own.
 * @example
 * @WebSocketGateway({ path: '/presence' })
 * class WsPresenceGateway extends PresenceGateway {}
 */
@WebSocketGateway({ namespace: 'presence' })
export class PresenceGateway implements OnModuleInit, OnModuleDestroy {
  @Inject(PresenceRoom) private readonly presence: PresenceRoom;
  readonly #logger = new Logger('Presence');
  readonly #peers = new Map<object, Peer>();
  #config: GatewayConfig;
  #rooms: SocketRooms;
  #events: InboundEvents;
  #door: Door;
  #pinging: NodeJS.Timeout | undefined;

  /** Nest's hook, which comes before all others: the server is there, and has no sockets yet. */
  afterInit(server: object): void {
    const { config, views, service } = this.presence;
    if (config.gateway === undefined) return; // the next hook ends the boot
    this.#config = config.gateway;
    this.#rooms = new SocketRooms(views, config.typingMs, (error) => this.#bug(error));
    this.#events = new InboundEvents(this.#config, service, this.#rooms);
    this.#door = doorOf(server, new Admission(this.#config), this.#config);
    this.#pinging = outsideRequests(() => setInterval(() => this.#ping(), this.#config.pingMs).unref());
  }

  /** @throws InvalidOptionsError when nobody has said who may connect, and where to. */
  onModuleInit(): void {
    if (this.presence.config.gateway !== undefined) return;
    throw new InvalidOptionsError('PresenceGateway', [
      'Give `PresenceModule` a `gateway` with `authenticate` and `authorize`: without them nobody may connect',
    ]);
  }

  onModuleDestroy(): void {
    clearInterval(this.#pinging);
  }

  /** Nest's hook. Nothing is awaited: Nest handles events of a socket while this would still wait. */
  handleConnection(socket: object, request?: unknown): void {
    const entrant = this.#door.entrant(socket, request);
    if ('refusal' in entrant) {
      const told = toldOf(entrant.refusal);
      entrant.wire.send(new Frame('exception', told));
      entrant.wire.close(CLOSE.unauthorized, told.code);
      return this.presence.metrics.closed('refused');
    }
    const { wire, identity } = entrant;
    const peer = new Peer(wire, identity, this.#config, this.presence.metrics);
    this.#peers.set(socket, peer);
    this.#endInTime(peer);
    peer.online = this.presence.service.connect({ userId: identity.userId, deviceId: wire.id });
    peer.online.catch((error: unknown) => this.#bug(error));
  }

  /** Nest's hook. */
  handleDisconnect(socket: object): void {
    const peer = this.#peers.get(socket);
    this.#peers.delete(socket);
    if (this.presence.closing && peer !== undefined) cutSoon(peer.wire);
    if (peer !== undefined) void this.#leave(peer).catch((error: unknown) => this.#bug(error));
  }

  @SubscribeMessage('join')
  onJoin(socket: object, body: unknown): void {
    this.#handle(socket, 'join', body);
  }

  @SubscribeMessage('leave')
  onLeave(socket: object, body: unknown): void {
    this.#handle(socket, 'leave', body);
  }

  @SubscribeMessage('typing')
  onTyping(socket: object, body: unknown): void {
    this.#handle(socket, 'typing', body);
  }

  @SubscribeMessage('message')
  onMessage(socket: object, body: unknown): void {
    this.#handle(socket, 'message', body);
  }

  /**
   * Ends the sockets of this process that it is true of, such as those of a session that was ended. How many.
   * @example this.end(({ userId }) => userId === banned)
   */
  end<Who extends Identity>(which: (identity: Who) => boolean): number {
    const peers = [...this.#peers.values()].filter(({ identity }) => which(identity as Who));
    for (const peer of peers) peer.close(CLOSE.unauthorized, 'ended');
    return peers.length;
  }

  /** Who is connected to this process, once for each socket. */
  protected get identities(): readonly Identity[] {
    return Array.from(this.#peers.values(), ({ identity }) => identity);
  }

  /** Who is behind a socket: for events of your own. */
  protected identityOf(socket: object): Identity | undefined {
    return this.#peers.get(socket)?.identity;
  }

  /**
   * Says an event to all sockets in a room, in whichever process; nothing of it is kept.
   * @throws NotInRoomError when the socket that says it is not in the room.
   */
  protected async say(socket: object, room: string, event: string, data: unknown): Promise<void> {
    const seat = this.#peers.get(socket)?.seats.get(checkedName('room', room));
    if (seat === undefined) throw new NotInRoomError('Join the room first.');
    await seat.room.say(event, data);
  }

  #handle(socket: object, event: 'join' | 'leave' | 'typing' | 'message', body: unknown): void {
    const peer = this.#peers.get(socket);
    peer?.inOrder(async () => {
      try {
        await this.#events.handle(peer, event, body);
        this.presence.metrics.event(event, 'ok');
      } catch (error) {
        this.presence.metrics.event(event, isBug(error) ? 'failed' : 'refused');
        if (isBug(error)) this.#bug(error);
        const { room } = (body ?? {}) as { room?: unknown };
        const about = { event, ...(typeof room === 'string' && { room: room.slice(0, 128) }) };
        peer.tell(new Frame('exception', toldOf(error, about)));
      }
    });
  }

  async #leave(peer: Peer): Promise<void> {
    const diedAt = performance.now() - peer.wire.silentMs;
    peer.ended();
    await peer.settled();
    const silentMs = performance.now() - diedAt;
    const seats = [...peer.seats.values()];
    peer.seats.clear();
    const gone = seats.map(({ room, member }) => {
      room.leave(peer);
      this.#rooms.exit(room);
      return member.drop(silentMs);
    });
    await Promise.all([...gone, (await peer.online)?.drop(silentMs)]);
  }

  #endInTime(peer: Peer): void {
    const inMs = leftMs(peer.identity);
    if (inMs === Infinity) return;
    const due = () => {
      if (leftMs(peer.identity) > 0) return this.#endInTime(peer);
      peer.close(CLOSE.unauthorized, 'expired');
    };
    peer.expiry = outsideRequests(() => setTimeout(due, Math.min(inMs, LONGEST_MS)).unref());
  }

  #ping(): void {
    for (const peer of this.#peers.values()) if (!peer.wire.ping()) peer.close(CLOSE.policy, 'dead');
  }

  #bug(error: unknown): void {
    const details = { event: 'presence.bug', error: String(error) };
    this.#logger.error(`Presence failed: ${String(error)}`, details);
  }
}

/** A server closes when its last connection has: one whose client reads nothing any more must not hold it up. */
function cutSoon(wire: Wire): void {
  outsideRequests(() => setTimeout(() => wire.terminate(), GOODBYE_MS).unref());
}
