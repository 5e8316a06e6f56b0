import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** An e-mail that has arrived. */
export interface Mail {
  /** Its Message-ID, without the brackets. */
  readonly id: string;
  /** The envelope's sender. */
  readonly from: string;
  /** As it was sent, heads included. */
  readonly text: string;
  /** By the clock of this machine, in ms. */
  readonly at: number;
}

/** How a {@link MailServer} is started. */
export interface MailServerOptions {
  /** How long it takes to say that it has a mail that it has noted already, in ms. @default 0 */
  readonly answerAfterMs?: () => number;
}

/**
 * A mail server in this process that keeps what it takes, in order of arrival, and can be told to refuse.
 * @example
 * const mail = await MailServer.start();
 * // … SMTP_URL: mail.url
 * expect(mail.mails[0]?.text).toContain('To: ann@there.example');
 */
export class MailServer {
  readonly mails: Mail[] = [];
  /** Whether every recipient is refused for the moment, as by a server that is too busy. */
  refuses = false;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly answerAfterMs: () => number,
  ) {
    server.on('connection', (socket: Socket) => this.#serve(socket));
  }

  static async start({ answerAfterMs = () => 0 }: MailServerOptions = {}): Promise<MailServer> {
    const server = createServer().listen(0, '127.0.0.1');
    const started = new MailServer(server, answerAfterMs);
    await once(server, 'listening');
    return started;
  }

  get url(): string {
    return `smtp://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Breaks all connections. May be called twice. */
  async stop(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {}); // its client was killed
    // One answer after the other, also to commands that came in one piece.
    let answered = Promise.resolve();
    const say = (text: string, afterMs = 0) => {
      answered = answered.then(async () => {
        if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs).unref());
        if (socket.writable) socket.write(`${text}\r\n`);
        if (text === BYE) socket.end();
      });
    };
    say('220 ready');
    const session = new Session(
      (mail) => this.mails.push(mail),
      () => this.refuses,
    );
    let rest = '';
    socket.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + String(text)).split('\r\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const answer = session.hear(line);
        if (answer !== undefined) say(answer, answer === TAKEN ? this.answerAfterMs() : 0);
      }
    });
  }
}

const TAKEN = '250 taken';
const BYE = '221 bye';

/** What one client says: commands, and the lines of mails. */
class Session {
  #from = '';
  #lines: string[] | undefined;

  constructor(
    private readonly onMail: (mail: Mail) => void,
    private readonly refuses: () => boolean,
  ) {}

  /** The answer to a line; undefined for one of a mail. */
  hear(line: string): string | undefined {
    if (this.#lines !== undefined) return this.#hearData(this.#lines, line);
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'QUIT') return BYE;
    if (verb === 'RCPT' && this.refuses()) return `451 not now, ${line}`;
    if (verb === 'MAIL') this.#from = /<(.*?)>/.exec(line)?.[1] ?? '';
    if (verb !== 'DATA') return ['EHLO', 'HELO', 'MAIL', 'RCPT', 'RSET', 'NOOP'].includes(verb) ? '250 ok' : '502 no';
    this.#lines = [];
    return '354 go on';
  }

  #hearData(lines: string[], line: string): string | undefined {
    if (line !== '.') {
      lines.push(line.startsWith('.') ? line.slice(1) : line);
      return undefined;
    }
    this.#lines = undefined;
    const heads = lines.slice(0, lines.indexOf('')).join('\r\n');
    const id = /^message-id:\s*<(.*?)>/im.exec(heads.replaceAll(/\r\n[ \t]+/g, ' '))?.[1] ?? '';
    this.onMail({ id, from: this.#from, text: lines.join('\r\n'), at: Date.now() });
    return TAKEN;
  }
}
