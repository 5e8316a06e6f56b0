const waitingKey = Symbol('roost.throttle.waiting');

/** A connection by which pipelined requests come. */
export interface LosableSocket {
  readonly destroyed?: boolean;
  once?(event: 'close', listener: () => void): unknown;
  [waitingKey]?: Set<() => void>;
}

/**
 * Calls back when the connection is lost, until the returned function is called. One listener for all of a connection:
 * a client may send any number of requests by it.
 */
export function onLost(socket: LosableSocket, lost: () => void): () => void {
  let waiting = socket[waitingKey];
  if (waiting === undefined) {
    if (typeof socket.once !== 'function') return () => undefined;
    const all = (waiting = socket[waitingKey] = new Set());
    socket.once('close', () => {
      for (const each of all) each();
    });
  }
  waiting.add(lost);
  return () => void waiting.delete(lost);
}
