import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A mail server in this process that keeps what it takes, and can be told to refuse. */
export class MailServer {
  /** As they were sent, heads included. */
  readonly mails: string[] = [];
  /** Whether every recipient is refused for the moment, as by a server that is too busy. */
  refuses = false;
  readonly #sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('connection', (socket: Socket) => this.#serve(socket));
  }

  static async start(): Promise<MailServer> {
    const server = createServer().listen(0, '127.0.0.1');
    const started = new MailServer(server);
    await once(server, 'listening');
    return started;
  }

  get url(): string {
    return `smtp://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {}); // its client went away
    socket.on('close', () => this.#sockets.delete(socket));
    let text = '';
    let inMail = false;
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += String(chunk);
      for (let end = endOf(text, inMail); end >= 0; end = endOf(text, inMail)) {
        const said = text.slice(0, end);
        text = text.slice(end);
        if (inMail) this.mails.push(said);
        socket.write(`${inMail ? '250 taken' : this.#answer(said)}\r\n`);
        inMail = !inMail && /^DATA/i.test(said);
      }
    });
    socket.write('220 ready\r\n');
  }

  #answer(command: string): string {
    if (this.refuses && /^RCPT/i.test(command)) return `451 not now, ${command.trim()}`;
    return /^DATA/i.test(command) ? '354 go on' : '250 ok';
  }
}

/** Where the command, or the mail, ends that a text begins with; -1 when more is to come. */
function endOf(text: string, inMail: boolean): number {
  const end = inMail ? '\r\n.\r\n' : '\r\n';
  const at = text.indexOf(end);
  return at < 0 ? -1 : at + end.length;
}
