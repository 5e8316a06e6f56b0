import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { encodeCommand, ErrorReply, type Reply, RespParser } from './resp.js';

/** Where a server listens, and the user who may do everything there. */
export interface RespAddress {
  readonly port: number;
  readonly admin: { readonly name: string; readonly password: string };
  /** Path of the CA certificate when the server speaks TLS. */
  readonly ca?: string;
}

type Command = readonly (string | number)[];

/** A plain connection to a server; it never reconnects and never hides an error. */
export class RespConnection {
  readonly #socket: Socket;
  readonly #admin: RespAddress['admin'];
  readonly #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = [];
  #failure: Error | undefined;
  /** Called for replies nobody waits for: what MONITOR streams. */
  onReply: (reply: Reply) => void = () => {};

  constructor({ port, admin, ca }: RespAddress) {
    this.#admin = admin;
    this.#socket = ca
      ? connectTls({ host: '127.0.0.1', port, servername: 'localhost', ca: readFileSync(ca) })
      : connect({ host: '127.0.0.1', port, noDelay: true });
    const parser = new RespParser();
    this.#socket.on('data', (chunk: Buffer) => {
      for (const reply of parser.feed(chunk)) this.#settle(reply);
    });
    this.#socket.on('error', (error) => (this.#failure = error));
    this.#socket.on('close', () => this.close());
  }

  /** Sends a command as the default user, or as the admin when that user may not. */
  async send(command: Command): Promise<Reply> {
    try {
      return await this.#exchange(command);
    } catch (error) {
      if (!(error instanceof ErrorReply) || !/^(NOAUTH|NOPERM)/.test(error.message)) throw error;
      await this.#exchange(['AUTH', this.#admin.name, this.#admin.password]);
      return this.#exchange(command);
    }
  }

  /** Closes the connection; whoever still waits is told why. */
  close(failure = this.#failure ?? new Error('Connection closed by the server')): void {
    this.#failure = failure;
    this.#socket.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(failure);
  }

  #exchange(command: Command): Promise<Reply> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(encodeCommand(command));
    });
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.shift();
    if (!waiting) this.onReply(reply);
    else if (reply instanceof ErrorReply) waiting.reject(reply);
    else waiting.resolve(reply);
  }
}

/** Sends one command over a connection of its own: no state to lose when the server is killed or its clients are. */
export async function ask(address: RespAddress, command: Command, timeoutMs: number): Promise<Reply> {
  const connection = new RespConnection(address);
  const timer = setTimeout(() => {
    connection.close(new Error(`No reply to ${command[0]} from port ${address.port} within ${timeoutMs} ms`));
  }, timeoutMs);
  try {
    return await connection.send(command);
  } finally {
    clearTimeout(timer);
    connection.close();
  }
}
