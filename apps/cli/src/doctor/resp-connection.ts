import type { Socket } from 'node:net';
import { RespParser, type Reply } from './resp-parser.js';

/** Why no reply came: it took too long, the connection ended, or what came was no RESP. */
export class NoReplyError extends Error {
  constructor(
    readonly kind: 'timeout' | 'closed' | 'not_resp',
    /** The code of the socket's error, such as `ECONNRESET`. */
    readonly code?: string,
  ) {
    super(`no reply: ${kind}`);
  }
}

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: NoReplyError): void;
}

/**
 * Speaks RESP2 over an open socket, one deadline per command, without reconnecting or hiding anything: the doctor has to
 * see each step by itself, which a real client spares its users.
 */
export class RespConnection {
  readonly #waiting: Waiting[] = [];
  readonly #parser = new RespParser();
  #ended: NoReplyError | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly deadlineMs: number,
  ) {
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#end(new NoReplyError('closed', error.code)));
    socket.on('close', () => this.#end(new NoReplyError('closed')));
  }

  /**
   * Sends a command and resolves to its reply; an error reply is a value, because here it is a finding.
   * @throws NoReplyError
   */
  call(...args: readonly string[]): Promise<Reply> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      // After a missed deadline replies would pair with the wrong commands: the connection is over.
      const timer = setTimeout(() => this.#end(new NoReplyError('timeout')), this.deadlineMs);
      const settled = (settle: () => void) => {
        clearTimeout(timer);
        settle();
      };
      this.#waiting.push({
        resolve: (reply) => settled(() => resolve(reply)),
        reject: (error) => settled(() => reject(error)),
      });
      const bulks = args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`);
      this.socket.write(`*${args.length}\r\n${bulks.join('')}`);
    });
  }

  close(): void {
    this.#end(new NoReplyError('closed'));
  }

  #receive(chunk: Buffer): void {
    try {
      for (const reply of this.#parser.feed(chunk)) this.#waiting.shift()?.resolve(reply);
    } catch {
      this.#end(new NoReplyError('not_resp'));
    }
  }

  #end(reason: NoReplyError): void {
    this.#ended ??= reason;
    this.socket.destroy();
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#ended);
  }
}
