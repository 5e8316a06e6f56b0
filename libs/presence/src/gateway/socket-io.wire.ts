import type { Frame, Wire } from './wire.js';

/** What is used of a socket of Socket.IO. */
export interface SocketIoSocket {
  readonly id: string;
  readonly handshake: {
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
    readonly url: string;
    readonly auth: Readonly<Record<string, unknown>>;
    readonly address: string;
  };
  /** The connection, which namespaces share. */
  readonly conn: {
    /** Over WebSocket it has a socket of `ws`, over polling none. */
    readonly transport?: { readonly socket?: { readonly bufferedAmount?: number; terminate?(): void } };
    close(discard: boolean): unknown;
    on(event: string, listener: () => void): unknown;
    off(event: string, listener: () => void): unknown;
  };
  emit(event: string, data: unknown): unknown;
  disconnect(close?: boolean): unknown;
}

/** A socket of Socket.IO, which asks for signs of life by itself. */
export class SocketIoWire implements Wire {
  #heardAt = performance.now();
  /** What was given to the connection since it last gave its packets to the transport. */
  #unflushed = 0;

  constructor(private readonly socket: SocketIoSocket) {
    socket.conn.on('packet', this.#heard);
    socket.conn.on('flush', this.#flushed);
  }

  get id(): string {
    return this.socket.id;
  }

  get address(): string {
    return this.socket.handshake.address;
  }

  get silentMs(): number {
    return performance.now() - this.#heardAt;
  }

  get bufferedBytes(): number {
    return this.#unflushed + (this.socket.conn.transport?.socket?.bufferedAmount ?? 0);
  }

  send(frame: Frame): void {
    this.#unflushed += frame.text.length;
    this.socket.emit(frame.event, frame.data);
  }

  close(): void {
    this.socket.disconnect();
  }

  terminate(): void {
    const { conn } = this.socket;
    const { socket } = conn.transport ?? {};
    this.socket.disconnect();
    conn.close(true);
    socket?.terminate?.(); // it would wait half a minute for the goodbye of a client that reads nothing
  }

  /** The connection may go on, for other namespaces. */
  ended(): void {
    this.socket.conn.off('packet', this.#heard);
    this.socket.conn.off('flush', this.#flushed);
  }

  ping(): boolean {
    return true;
  }

  readonly #heard = () => void (this.#heardAt = performance.now());
  readonly #flushed = () => void (this.#unflushed = 0);
}
