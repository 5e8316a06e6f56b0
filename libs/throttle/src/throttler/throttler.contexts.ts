import type { ExecutionContext } from '@nestjs/common';

type Any = Record<string, unknown>;

/** What a throttler sees of a request; `res` is undefined where an answer has no headers. */
export interface ThrottledRequest {
  readonly req: Any;
  readonly res: Any | undefined;
}

/**
 * The request behind any context. Of a WebSocket it reads like the client, of an RPC call like its context, with `ip` and
 * `headers` as an HTTP request has them. Nothing is taken for an address that a caller could write into a message.
 */
export function throttledRequestOf(context: ExecutionContext): ThrottledRequest {
  switch (context.getType<string>()) {
    case 'http':
      return { req: context.getArgByIndex<Any>(0), res: context.getArgByIndex<Any | undefined>(1) };
    case 'graphql':
      return ofGraphql(objectOf(context.getArgByIndex(2)));
    case 'ws':
      return { req: ofSocket(objectOf(context.switchToWs().getClient())), res: undefined };
    default:
      return { req: ofMessage(objectOf(context.switchToRpc().getContext())), res: undefined };
  }
}

/** Whether headers can still be put on the answer. */
export function takesHeaders(res: Any | undefined): res is Any {
  if (typeof res !== 'object' || res === null) return false;
  return !(res['headersSent'] === true || res['sent'] === true || part(res, 'raw')?.['headersSent'] === true);
}

/** The context of Apollo (`req`, `res`) and of Mercurius (`reply`); of a subscription there may be neither. */
function ofGraphql(context: Any): ThrottledRequest {
  const reply = part(context, 'reply');
  const request = part(context, 'req') ?? part(context, 'request') ?? part(reply, 'request') ?? {};
  const res = part(context, 'res') ?? reply ?? part(request, 'res');
  const answers = typeof res?.['header'] === 'function' || typeof res?.['setHeader'] === 'function';
  return { req: 'headers' in request ? request : extended(request, { headers: {} }), res: answers ? res : undefined };
}

/** A client of Socket.IO has a `handshake`, one of ws its socket. */
function ofSocket(client: Any): Any {
  const handshake = part(client, 'handshake');
  const socket = part(client, '_socket');
  return extended(client, {
    ip: handshake?.['address'] ?? socket?.['remoteAddress'],
    headers: handshake?.['headers'] ?? part(client, 'upgradeReq')?.['headers'] ?? {},
  });
}

/** Over TCP the address of the calling service; brokers do not tell who called. */
function ofMessage(context: Any): Any {
  const socketRef = context['getSocketRef'];
  const socket = typeof socketRef === 'function' ? part(objectOf(socketRef.call(context)), 'netSocket') : undefined;
  return extended(context, { ip: socket?.['remoteAddress'], headers: {} });
}

function extended(object: Any, own: Any): Any {
  return Object.assign(Object.create(object) as Any, own);
}

function part(object: Any | undefined, name: string): Any | undefined {
  const value = object?.[name];
  return typeof value === 'object' && value !== null ? (value as Any) : undefined;
}

function objectOf(value: unknown): Any {
  return typeof value === 'object' && value !== null ? (value as Any) : {};
}
