import type { LookupAddress } from 'node:dns';
import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { RedisTarget } from './redis-target.js';

/** Thrown when a step took longer than its deadline. */
class DeadlineError extends Error {
  readonly code = 'DEADLINE';
}

/** Settles as `work` does, or rejects with code `DEADLINE`; `giveUp` frees what the work holds. */
export function within<T>(deadlineMs: number, work: Promise<T>, giveUp?: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      giveUp?.();
      reject(new DeadlineError());
    }, deadlineMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Opens a TCP connection to the first of the addresses that accepts one. */
export function dial(
  { host, port }: RedisTarget,
  addresses: readonly LookupAddress[],
  deadlineMs: number,
): Promise<Socket> {
  const known = ((_host, options, done) =>
    options.all
      ? done(null, [...addresses])
      : done(null, addresses[0]!.address, addresses[0]!.family)) as LookupFunction;
  const socket = connect({ host, port, lookup: known, noDelay: true });
  return within(deadlineMs, opened(socket, 'connect'), () => socket.destroy());
}

/** Shakes hands over an open socket. With `checked: false` any certificate will do: only to ask whether TLS is spoken. */
export function shakeHands(
  socket: Socket,
  { host }: RedisTarget,
  options: { checked: boolean; deadlineMs: number; ca?: string },
): Promise<TLSSocket> {
  const secure = connectTls({
    socket,
    host, // what the certificate is checked against; the name for SNI must not be an address
    ...(isIP(host) ? {} : { servername: host }),
    ca: options.ca,
    rejectUnauthorized: options.checked,
  });
  return within(options.deadlineMs, opened(secure, 'secureConnect'), () => secure.destroy());
}

function opened<S extends Socket>(socket: S, event: 'connect' | 'secureConnect'): Promise<S> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve(socket));
    socket.on('error', reject); // stays on: an error without a listener ends the process
    socket.once('close', () => reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' })));
  });
}
