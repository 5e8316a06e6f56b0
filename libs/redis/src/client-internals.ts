import type { Redis } from 'ioredis';
import type { Socket } from 'node:net';

/** What Roost needs of an ioredis client and ioredis does not document: all of it is named here. */
export interface ClientInternals {
  /** The present socket; another one after each reconnect. */
  readonly stream?: Socket;
  /** What was sent and not answered, the oldest first. */
  readonly commandQueue: { peekFront(): unknown };
  /** What waits for a connection. */
  readonly offlineQueue: { peekFront(): unknown };
  /** The pause before the next try to connect. */
  reconnectTimeout: NodeJS.Timeout | null;
  setStatus(status: string): void;
  /** Rejects what waits: sent and unanswered commands, and queued ones unless told otherwise. */
  flushQueue(error: Error, what?: { readonly offlineQueue: boolean }): void;
}

export function internalsOf(client: Redis): ClientInternals {
  return client as unknown as ClientInternals;
}
