import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './ports.js';
import { type Fault, ProxiedConnection } from './proxied-connection.js';

/** Where a {@link FaultProxy} leads. */
export interface FaultProxyOptions {
  readonly target: { readonly host?: string; readonly port: number };
  /** @default a free port */
  readonly port?: number;
}

/** Which replies {@link FaultProxy.dropReplies} drops. */
export interface DroppedReplies {
  readonly thenReset?: boolean;
  readonly once?: boolean;
  readonly to?: string;
}

/**
 * A TCP proxy that fails on demand, also for connections that are already established.
 * A mode lasts until the next one; each may be called in any order.
 * @example
 * const proxy = await FaultProxy.start({ target: server });
 * await proxy.dropReplies({ thenReset: true }); // the next command runs, and its caller never learns of it
 */
export class FaultProxy {
  readonly port: number;
  readonly url: string;
  #target: FaultProxyOptions['target'];
  #fault: Fault = { kind: 'pass' };
  #server: Server;
  #bytesToServer = 0;
  readonly #connections = new Set<ProxiedConnection>();

  private constructor(target: FaultProxyOptions['target'], port: number) {
    this.#target = target;
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
  }

  /** Starts a proxy that lets everything pass. */
  static async start({ target, port }: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy({ host: target.host, port: target.port }, port ?? (await freePort()));
    await proxy.#listen();
    return proxy;
  }

  /** Clients that are connected at the moment. */
  get connections(): number {
    return [...this.#connections].filter(({ open }) => open).length;
  }

  /** Bytes handed to the server since the start. */
  get bytesToServer(): number {
    return this.#bytesToServer;
  }

  /** Forwards everything. A connection that lost bytes stays silent in that direction: see `blackhole()`. */
  pass(): Promise<void> {
    return this.#switch({ kind: 'pass' });
  }

  /** Delays each direction by `ms`, in order: a round trip takes twice as long. */
  delay(ms: number): Promise<void> {
    return this.#switch({ kind: 'delay', ms });
  }

  /**
   * Delays each piece by what `ms` says then, in order within its connection: one connection overtakes another.
   * @param ms is told whether the connection has sent `mark` since
   */
  jitter(ms: (marked: boolean) => number, mark: string): Promise<void> {
    return this.#switch({ kind: 'jitter', ms, mark });
  }

  /**
   * Swallows everything in both directions, without FIN or RST; new connections are accepted and hear nothing.
   * What is swallowed never arrives, and on its connection nothing after it: clients have to notice and reconnect.
   */
  blackhole(): Promise<void> {
    return this.#switch({ kind: 'blackhole' });
  }

  /**
   * Lets requests through and discards the replies.
   * @param options.thenReset breaks the client's connection (RST) at the moment of its first reply
   * @param options.once passes everything after that first reset, so that a client that sends again is heard
   * @param options.to only on connections that send this text from now on: a client's own probes use up no `once`
   */
  dropReplies({ thenReset = false, once = false, to = '' }: DroppedReplies = {}): Promise<void> {
    return this.#switch({ kind: 'dropReplies', thenReset, once, to });
  }

  /** Breaks all connections with an RST; the mode stays. */
  reset(): void {
    for (const connection of this.#connections) connection.reset();
  }

  /** Breaks all connections and refuses new ones; every other mode listens again on the same port. */
  async refuse(): Promise<void> {
    this.#fault = { kind: 'refuse' };
    await this.#close();
  }

  /** Leads new connections to another port; established ones keep their server until `reset()`. */
  retarget(port: number): void {
    this.#target = { ...this.#target, port };
  }

  /** Breaks all connections and frees the port. May be called twice. */
  async stop(): Promise<void> {
    await this.refuse();
  }

  async #switch(fault: Fault): Promise<void> {
    const wasDark = this.#fault.kind === 'blackhole';
    this.#fault = fault;
    for (const connection of this.#connections) {
      if (fault.kind === 'blackhole') connection.darken();
      else if (wasDark) connection.lighten();
    }
    if (!this.#server.listening) await this.#listen();
  }

  async #listen(): Promise<void> {
    // Half-open, since the end of one direction must be able to come late, or not at all.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async #close(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined;
    this.#server.close();
    this.reset();
    await closed;
  }

  #accept(client: Socket): void {
    const connection = new ProxiedConnection(client, {
      fault: () => this.#fault,
      dial: () => this.#dial(),
      onForwarded: (bytes) => (this.#bytesToServer += bytes),
      onReplyReset: () => {
        if (this.#fault.kind === 'dropReplies' && this.#fault.once) this.#fault = { kind: 'pass' };
      },
      onClosed: (closed) => this.#connections.delete(closed),
    });
    this.#connections.add(connection);
  }

  #dial(): Socket {
    const { host = '127.0.0.1', port } = this.#target;
    return connect({ host, port, allowHalfOpen: true, noDelay: true });
  }
}
