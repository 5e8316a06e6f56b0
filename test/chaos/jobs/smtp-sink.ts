import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** An e-mail that has arrived. */
export interface Mail {
  /** Its Message-ID, without the brackets. */
  readonly id: string;
  /** The envelope's sender. */
  readonly from: string;
  /** By the clock of this machine, in ms. */
  readonly at: number;
}

/** How a {@link SmtpSink} is started. */
export interface SmtpSinkOptions {
  /** How long it takes to say that it has a mail that it has noted already, in ms. @default 0 */
  readonly answerAfterMs?: () => number;
}

/** A mail server that takes everything and keeps who wrote what when, in order of arrival. */
export class SmtpSink {
  readonly mails: Mail[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server;

  private constructor(private readonly answerAfterMs: () => number) {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start({ answerAfterMs = () => 0 }: SmtpSinkOptions = {}): Promise<SmtpSink> {
    const sink = new SmtpSink(answerAfterMs);
    sink.#server.listen(0, '127.0.0.1');
    await once(sink.#server, 'listening');
    return sink;
  }

  get url(): string {
    return `smtp://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {}); // its client was killed
    socket.setEncoding('latin1');
    const session = new Session((mail) => this.mails.push(mail));
    // One answer after the other, also to commands that came in one piece.
    let answered = Promise.resolve();
    const say = (text: string, afterMs = 0) => {
      answered = answered.then(async () => {
        if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs));
        if (socket.writable) socket.write(`${text}\r\n`);
      });
    };
    say('220 sink');
    let rest = '';
    socket.on('data', (text) => {
      const lines = (rest + String(text)).split('\r\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const answer = session.hear(line);
        if (answer !== undefined) say(answer, answer.startsWith('250 taken') ? this.answerAfterMs() : 0);
        if (line.toUpperCase() === 'QUIT') void answered.then(() => socket.end());
      }
    });
  }
}

/** What one client says: commands, and the lines of mails. */
class Session {
  #from = '';
  #lines: string[] | undefined;

  constructor(private readonly onMail: (mail: Mail) => void) {}

  /** The answer to a line; undefined for one of a mail. */
  hear(line: string): string | undefined {
    if (this.#lines !== undefined) return this.#hearData(this.#lines, line);
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'QUIT') return '221 bye';
    if (verb === 'MAIL') this.#from = /<(.*?)>/.exec(line)?.[1] ?? '';
    if (verb !== 'DATA') return ['EHLO', 'HELO', 'MAIL', 'RCPT', 'RSET', 'NOOP'].includes(verb) ? '250 ok' : '502 no';
    this.#lines = [];
    return '354 go on';
  }

  #hearData(lines: string[], line: string): string | undefined {
    if (line !== '.') {
      lines.push(line);
      return undefined;
    }
    this.#lines = undefined;
    const head = lines
      .slice(0, lines.indexOf(''))
      .join('\r\n')
      .replaceAll(/\r\n[ \t]+/g, ' ');
    this.onMail({ id: /^message-id:\s*<(.*?)>/im.exec(head)?.[1] ?? '', from: this.#from, at: Date.now() });
    return '250 taken';
  }
}
