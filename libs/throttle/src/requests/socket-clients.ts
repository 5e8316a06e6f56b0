import { randomUUID } from 'node:crypto';
import type { RequestLike, UserLike } from './caller.js';

/** What is read of a client of Socket.IO, `ws` or uWebSockets; all of it may be missing. */
interface SocketClient {
  readonly id?: unknown;
  readonly user?: UserLike | null;
  readonly data?: { readonly user?: UserLike | null; readonly userId?: unknown } | null;
  readonly handshake?: {
    readonly address?: unknown;
    readonly headers?: RequestLike['headers'];
    readonly auth?: { readonly apiKey?: unknown } | null;
  };
  readonly request?: RequestLike;
  readonly upgradeReq?: RequestLike;
  readonly conn?: { readonly remoteAddress?: unknown };
  readonly _socket?: { readonly remoteAddress?: unknown } | null;
  readonly getRemoteAddressAsText?: () => ArrayBuffer;
}

/** Knows who is behind the WebSocket clients of this process, whichever library they come from. */
export class SocketClients {
  // The address is gone once the socket is closed, while messages of it may still be worked on.
  readonly #handshakes = new WeakMap<object, RequestLike>();
  readonly #ids = new WeakMap<object, string>();

  /** What the client connected with. */
  handshakeOf(client: unknown): RequestLike | undefined {
    if (typeof client !== 'object' || client === null) return undefined;
    let handshake = this.#handshakes.get(client);
    if (!handshake) this.#handshakes.set(client, (handshake = readHandshake(client)));
    return handshake;
  }

  /** The client's own id, which Socket.IO gives, else one that is unique among all processes. */
  idOf(client: unknown): string | undefined {
    if (typeof client !== 'object' || client === null) return undefined;
    const { id } = client as SocketClient;
    if (typeof id === 'string' && id !== '') return id;
    let given = this.#ids.get(client);
    if (given === undefined) this.#ids.set(client, (given = randomUUID()));
    return given;
  }

  /**
   * Where an authentication guard or middleware has put the user. Never `handshake.auth`: that is what the client says,
   * who could be somebody else with each message.
   */
  userOf(client: unknown): unknown {
    if (typeof client !== 'object' || client === null) return undefined;
    const { user, data, request } = client as SocketClient;
    const found = user ?? data?.user ?? request?.user;
    return found?.id ?? found?.sub ?? data?.userId;
  }

  /** A key in the handshake: browsers can set no headers, so Socket.IO has `auth` for it. */
  apiKeyOf(client: unknown): unknown {
    return this.handshakeOf(client)?.headers?.['x-api-key'] ?? (client as SocketClient | null)?.handshake?.auth?.apiKey;
  }
}

function readHandshake(client: SocketClient): RequestLike {
  const { handshake, request = client.upgradeReq, conn, _socket } = client;
  const socket = request?.socket ?? _socket ?? null;
  const address = handshake?.address ?? conn?.remoteAddress ?? socket?.remoteAddress ?? textOf(client);
  return {
    ip: address,
    headers: handshake?.headers ?? request?.headers ?? {},
    socket: { remoteAddress: socket?.remoteAddress ?? address },
  };
}

function textOf(client: SocketClient): string | undefined {
  if (typeof client.getRemoteAddressAsText !== 'function') return undefined;
  return Buffer.from(client.getRemoteAddressAsText()).toString('latin1');
}
