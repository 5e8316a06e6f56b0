import { randomUUID } from 'node:crypto';
import type { Frame, Wire } from './wire.js';

/** What is used of a socket of `ws`. */
export interface WsSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  on(event: string, listener: () => void): unknown;
  send(text: string, done: (error?: Error) => void): void;
  ping(): void;
  close(code: number, reason: string): void;
  terminate(): void;
}

const OPEN = 1;

/** A socket of `ws`, which has no pings of its own. */
export class WsWire implements Wire {
  readonly id = randomUUID();
  #heardAt = performance.now();
  #unanswered = 0;

  constructor(
    private readonly socket: WsSocket,
    readonly address: string | undefined,
  ) {
    const heard = () => {
      this.#heardAt = performance.now();
      this.#unanswered = 0;
    };
    for (const event of ['message', 'pong', 'ping']) socket.on(event, heard);
  }

  get silentMs(): number {
    return performance.now() - this.#heardAt;
  }

  get bufferedBytes(): number {
    return this.socket.bufferedAmount;
  }

  send(frame: Frame): void {
    // What cannot be sent any more ends with the socket, which is told by its `close`.
    if (this.socket.readyState === OPEN) this.socket.send(frame.text, () => undefined);
  }

  close(code: number, reason: string): void {
    this.socket.close(code, reason);
  }

  terminate(): void {
    this.socket.terminate();
  }

  ended(): void {} // its listeners go with it

  ping(): boolean {
    if (this.#unanswered >= 2) return false;
    this.#unanswered++;
    if (this.socket.readyState === OPEN) this.socket.ping();
    return true;
  }
}
