import type { IncomingMessage } from 'node:http';
import { RoostError } from '@roost/redis';
import type { GatewayConfig } from '../presence.config.js';
import { NotAuthenticatedError } from '../presence.errors.js';
import type { Admission } from './admission.js';
import { toldOf } from './exceptions.js';
import type { Handshake, Identity } from './gateway.options.js';
import { SocketIoWire, type SocketIoSocket } from './socket-io.wire.js';
import type { Wire } from './wire.js';
import { WsWire, type WsSocket } from './ws.wire.js';

/** A socket that has come through, or one that is only let in to be told that it is refused. */
type Entrant = { readonly wire: Wire } & ({ readonly identity: Identity } | { readonly refusal: Error });

/** How sockets of one library come in. */
export interface Door {
  /** Who a socket was found to be before it was let in. */
  entrant(socket: object, request: unknown): Entrant;
}

/** What is used of a server, or a namespace, of Socket.IO. */
interface SocketIoServer {
  use(middleware: (socket: SocketIoSocket, decide: (refusal?: Error) => void) => void): unknown;
  readonly server?: SocketIoServer;
  readonly engine?: { opts: { pingInterval: number; pingTimeout: number } };
}

/** What is used of a server of `ws`. */
interface WsServer {
  readonly options: {
    maxPayload?: number;
    verifyClient?: (
      info: { req: IncomingMessage },
      decide: (ok: boolean, code?: number, text?: string) => void,
    ) => void;
  };
}

/** The door of the library that the application's adapter brings. */
export function doorOf(server: object, admission: Admission, config: GatewayConfig): Door {
  return 'use' in server
    ? socketIoDoor(server as SocketIoServer, admission, config)
    : wsDoor(server as WsServer, admission, config);
}

/** In a middleware of the namespace, whose refusal is the client's `connect_error`. */
function socketIoDoor(server: SocketIoServer, admission: Admission, { pingMs }: GatewayConfig): Door {
  const identities = new WeakMap<object, Identity>();
  server.use((socket, decide) => {
    const { headers, url, auth, address } = socket.handshake;
    const admit = async () => {
      admission.checkOrigin({ headers });
      identities.set(socket, await admission.identify({ headers, url, auth, address }));
    };
    admit().then(
      () => decide(),
      (error: unknown) => decide(connectError(error)),
    );
  });
  // The connection asks for signs of life, for all namespaces: it may do so more often than it would, never less.
  const opts = (server.server ?? server).engine?.opts;
  if (opts !== undefined) {
    opts.pingInterval = Math.min(opts.pingInterval, pingMs);
    opts.pingTimeout = Math.min(opts.pingTimeout, pingMs);
  }
  return {
    entrant: (socket) => ({
      wire: new SocketIoWire(socket as SocketIoSocket),
      ...admitted(identities.get(socket)),
    }),
  };
}

/**
 * Before the upgrade. A page from elsewhere gets no socket at all; who is not known gets one that is closed with 4401, as
 * browsers do not tell pages why there was no upgrade.
 */
function wsDoor({ options }: WsServer, admission: Admission, { maxFrameBytes }: GatewayConfig): Door {
  const found = new WeakMap<object, Identity | Error>();
  options.maxPayload = maxFrameBytes;
  options.verifyClient = ({ req }, decide) => {
    try {
      admission.checkOrigin(req);
    } catch {
      return decide(false, 403, 'Forbidden'); // the page is told nothing more
    }
    admission
      .identify(handshakeOf(req))
      .then(
        (identity) => found.set(req, identity),
        (error: unknown) => found.set(req, error instanceof Error ? error : new NotAuthenticatedError('Refused.')),
      )
      .finally(() => decide(true));
  };
  return {
    entrant: (socket, request) => {
      const wire = new WsWire(socket as WsSocket, (request as IncomingMessage).socket.remoteAddress);
      const who = found.get(request as object);
      return { wire, ...(who instanceof Error ? { refusal: who } : admitted(who)) };
    },
  };
}

function admitted(identity: Identity | undefined): { identity: Identity } | { refusal: Error } {
  return identity === undefined ? { refusal: new NotAuthenticatedError('Nobody is known by this.') } : { identity };
}

function handshakeOf({ headers, url = '/', socket }: IncomingMessage): Handshake {
  return { headers, url, auth: {}, address: socket.remoteAddress };
}

/** What Socket.IO tells a client: a message, and `data`. Nothing of errors that are not meant for clients. */
function connectError(error: unknown): Error {
  const told = toldOf(error instanceof RoostError ? error : new NotAuthenticatedError('Nobody is known by this.'));
  return Object.assign(new Error(told.message), { data: told });
}
