import type { Duration } from '@roost/redis';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** What a socket connected with. */
export interface Handshake {
  readonly headers: Headers;
  /** The path and query of the request. */
  readonly url: string;
  /** What a client of Socket.IO gave as `auth`: as true as anything that a client says. */
  readonly auth: Readonly<Record<string, unknown>>;
  readonly address: string | undefined;
}

/** Who is behind a socket. */
export interface Identity {
  readonly userId: string;
  /** When the right to be connected ends: the socket is then closed. */
  readonly expiresAt?: Date | number;
  /** What the device says of itself, in each room. */
  readonly meta?: unknown;
}

/** An event that a client sent. */
export interface InboundEvent {
  readonly event: string;
  readonly userId: string;
  /** Unique among all sockets of all processes. */
  readonly socketId: string;
  readonly address: string | undefined;
}

/** How {@link PresenceGateway} treats its sockets. */
export interface PresenceGatewayOptions {
  /** Says who it is before the first event; null, or an error, refuses the socket. */
  readonly authenticate: (handshake: Handshake) => Identity | null | Promise<Identity | null>;
  /** Says whether a user may be in a room. An error refuses it, too, and its `code` is told. */
  readonly authorize: (identity: Identity, room: string) => boolean | Promise<boolean>;
  /**
   * Where pages may connect from; what is no browser says no origin, and may. `'*'`: from anywhere, which is right only
   * where `authenticate` reads no cookie. @default the host that the page connects to
   */
  readonly origins?: readonly string[] | '*';
  /**
   * Asked for each event; false, or an error, refuses it, and the error's `code` is told.
   * @example ({ socketId }) => limiter.consume('chat', socketId).then(({ allowed }) => allowed)
   */
  readonly limit?: (event: InboundEvent) => boolean | Promise<boolean>;
  /** How many rooms a socket may be in. @default 50 */
  readonly maxRooms?: number;
  /** The longest text of a message, in characters. @default 4000 */
  readonly maxTextLength?: number;
  /** The longest frame that `ws` accepts, in bytes; with Socket.IO it is `maxHttpBufferSize` of the server. @default 32768 */
  readonly maxFrameBytes?: number;
  /** How many events of a socket may wait to be handled, before it is closed. @default 100 */
  readonly maxWaiting?: number;
  /** How often sockets are asked for a sign of life; two that are missed end them. @default a third of `goneAfter` */
  readonly ping?: Duration;
  /** From how many unsent bytes on a socket gets only a summary of who came and went. @default 262144 */
  readonly slowBytes?: number;
  /** At how many unsent bytes a socket is closed. @default 4194304 */
  readonly stuckBytes?: number;
}
