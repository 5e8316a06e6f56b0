import type { Socket } from 'node:net';
import { Lane } from './lane.js';

/** What the proxy does to the bytes that pass it. */
export type Fault =
  | { readonly kind: 'pass' | 'blackhole' | 'refuse' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'jitter'; readonly ms: (marked: boolean) => number; readonly mark: string }
  | { readonly kind: 'dropReplies'; readonly thenReset: boolean; readonly once: boolean; readonly to: string };

/** What a connection needs of its proxy. */
export interface ProxySide {
  fault(): Fault;
  dial(): Socket;
  onForwarded(bytes: number): void;
  onReplyReset(): void;
  onClosed(connection: ProxiedConnection): void;
}

/** One client's connection through the proxy. It obeys the fault of the moment, also when that changes under way. */
export class ProxiedConnection {
  readonly #client: Socket;
  readonly #proxy: ProxySide;
  readonly #requests: Lane;
  readonly #replies: Lane;
  #server: Socket | undefined;
  /** A side went away while the network was dark, so that the other could not know. */
  #untold = false;
  /** A request whose reply is to be dropped has passed. */
  #doomed = false;
  /** The text that tells it from others has passed. */
  #marked = false;

  constructor(client: Socket, proxy: ProxySide) {
    this.#client = client;
    this.#proxy = proxy;
    this.#requests = new Lane((chunk) => this.#forward(chunk));
    this.#replies = new Lane((chunk) => transfer(this.#server, client, chunk));
    if (proxy.fault().kind !== 'blackhole') this.#upstream();
    client.on('data', (chunk: Buffer) => this.#onRequest(chunk));
    client.on('end', () => this.#onClientEnd());
    client.on('error', () => {}); // 'close' follows and knows of it
    client.on('close', (broken) => this.#onClose(broken));
  }

  /** Whether the client still holds its end. */
  get open(): boolean {
    return !this.#client.readableEnded && !this.#client.destroyed;
  }

  /** The network goes dark: what is under way is lost. */
  darken(): void {
    this.#requests.losePending();
    this.#replies.losePending();
  }

  /** The network is back: whoever missed the other's departure finds out, as by a retransmission. */
  lighten(): void {
    if (this.#untold) this.reset();
  }

  /** Breaks the connection with an RST to both sides. */
  reset(): void {
    this.#requests.lose();
    this.#replies.lose();
    cut(this.#client);
    if (this.#server) cut(this.#server);
  }

  #upstream(): Socket {
    if (this.#server) return this.#server;
    const server = this.#proxy.dial();
    server.on('data', (chunk: Buffer) => this.#onReply(chunk));
    server.on('end', () => this.#onServerEnd());
    server.on('error', () => {}); // as above
    server.on('close', (broken) => this.#onClose(broken));
    return (this.#server = server);
  }

  #forward(chunk: Buffer | null): void {
    transfer(this.#client, this.#upstream(), chunk);
    this.#proxy.onForwarded(chunk?.length ?? 0);
  }

  #onRequest(chunk: Buffer): void {
    const fault = this.#proxy.fault();
    this.#doomed ||= fault.kind === 'dropReplies' && chunk.includes(fault.to);
    this.#marked ||= fault.kind === 'jitter' && chunk.includes(fault.mark);
    if (this.#dark) this.#requests.lose();
    else this.#requests.carry(chunk, this.#delayMs);
  }

  #onReply(chunk: Buffer): void {
    const fault = this.#proxy.fault();
    const drops = fault.kind === 'dropReplies' && (this.#doomed || fault.to === '');
    if (this.#dark || drops) this.#replies.lose();
    else this.#replies.carry(chunk, this.#delayMs);
    if (drops && fault.thenReset && !this.#client.destroyed) {
      cut(this.#client);
      this.#requests.carry(null, 0); // a FIN, as an RST would take unread requests from the server
      this.#proxy.onReplyReset();
    }
  }

  #onClientEnd(): void {
    if (this.#dark) this.#untold = true;
    else if (this.#requests.lost) this.reset();
    else this.#requests.carry(null, this.#delayMs);
    this.#closeUnheard();
  }

  #onServerEnd(): void {
    if (this.#dark) this.#untold = true;
    else this.#replies.carry(null, this.#delayMs);
    this.#closeUnheard();
  }

  /** Both sides have left, and the client's end waits for a FIN that will not come through a lane with losses. */
  #closeUnheard(): void {
    if (!this.#dark && this.#replies.lost && !this.open && this.#server?.readableEnded) this.#client.destroy();
  }

  #onClose(broken: boolean): void {
    if (this.#dark) this.#untold = true;
    else if (broken) this.reset();
    if (this.#client.destroyed && (this.#server?.destroyed ?? true)) this.#proxy.onClosed(this);
  }

  get #dark(): boolean {
    return this.#proxy.fault().kind === 'blackhole';
  }

  get #delayMs(): number {
    const fault = this.#proxy.fault();
    if (fault.kind === 'jitter') return fault.ms(this.#marked);
    return fault.kind === 'delay' ? fault.ms : 0;
  }
}

/** Sends an RST. A socket whose FIN is under way cannot, and Node would leave its handle open for ever. */
function cut(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** Writes to the one side what came from the other, no faster than it is taken. */
function transfer(from: Socket | undefined, to: Socket, chunk: Buffer | null): void {
  if (chunk === null) to.end();
  else if (!to.write(chunk)) {
    from?.pause();
    to.once('drain', () => from?.resume());
  }
}
