import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.js';
import { type RedisServerOptions, toArguments, toUrl } from './redis-server.options.js';
import { ask, type RespAddress, RespConnection } from './resp-connection.js';
import { type Home, ServerProcess } from './server-process.js';

const START_WITHIN_MS = 10_000;
const ANSWER_WITHIN_MS = 10_000;

/** How often a command ran since the server started. */
export interface CommandCalls {
  readonly calls: number;
  /** Refused before they ran: wrong arguments, no permission, out of memory. */
  readonly rejectedCalls: number;
  /** Ran and ended in an error. */
  readonly failedCalls: number;
}

/** Every command the server receives, as `MONITOR` prints it. */
export interface CommandMonitor {
  readonly lines: readonly string[];
  /** Resolves when all that the server has received before is in `lines`: it tells of commands some time later. */
  caughtUp(): Promise<void>;
  stop(): void;
}

/**
 * A real redis-server of the test's own, that can be killed, frozen and brought back.
 * @example
 * const server = await RedisServer.start({ args: ['--maxmemory', '3mb'] });
 * server.freeze(); // connected clients now wait for an answer that does not come
 * await server.stop();
 */
export class RedisServer extends ServerProcess {
  readonly url: string;
  readonly #options: RedisServerOptions;
  readonly #address: RespAddress;

  private constructor(options: RedisServerOptions, home: Home, port: number) {
    super('redis-server', home, port);
    this.url = toUrl(options, port);
    this.#options = options;
    this.#address = {
      port,
      ca: options.tls?.ca,
      admin: { name: 'roost-testing', password: randomBytes(12).toString('hex') },
    };
  }

  /** Starts a server and waits until it answers. */
  static start(options: RedisServerOptions = {}): Promise<RedisServer> {
    return ServerProcess.settle('redis', (home) =>
      ServerProcess.launched(options.port, (port) => new RedisServer(options, home, port)),
    );
  }

  /** Sends SIGKILL and waits for the end: clients see their connections break, then refusals. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Asks the server over a connection of its own, whatever ACL or password is in force; error replies reject. */
  command(...args: (string | number)[]): Promise<unknown> {
    return ask(this.#address, args, ANSWER_WITHIN_MS);
  }

  /** Counts executions where they happen, by lower-case command name; the `info` it takes to ask is counted as well. */
  async commandStats(): Promise<Record<string, CommandCalls>> {
    const info = String(await this.command('INFO', 'commandstats'));
    const lines = info.matchAll(/^cmdstat_(.+?):calls=(\d+),.*rejected_calls=(\d+),failed_calls=(\d+)/gm);
    return Object.fromEntries(
      Array.from(lines, ([, name, calls, rejected, failed]) => [
        name,
        { calls: Number(calls), rejectedCalls: Number(rejected), failedCalls: Number(failed) },
      ]),
    );
  }

  /** The names of all keys that match, sorted. */
  async keys(pattern = '*'): Promise<string[]> {
    return ((await this.command('KEYS', pattern)) as string[]).toSorted();
  }

  /** Collects every command the server receives from now on. */
  async monitor(): Promise<CommandMonitor> {
    const connection = new RespConnection(this.#address);
    const lines: string[] = [];
    connection.onReply = (line) => lines.push(String(line));
    await connection.send(['MONITOR']);
    const caughtUp = async () => {
      const mark = randomBytes(8).toString('hex');
      await this.command('ECHO', mark);
      const marked = () => lines.findIndex((line) => line.includes(mark));
      await eventually(() => marked() !== -1, { within: ANSWER_WITHIN_MS, every: 1 });
      lines.splice(marked(), 1);
    };
    return { lines, caughtUp, stop: () => connection.close() };
  }

  protected override async launch(): Promise<void> {
    const { binary = 'redis-server' } = this.#options;
    const args = toArguments(this.#options, this.dir, this.#address);
    await this.spawn(binary, args).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      throw new Error(`${binary} not found on PATH. Install it: apt-get install redis-server`, { cause: error });
    });
    await this.#untilUp();
  }

  protected override shutDown(): Promise<void> {
    return this.end('SIGTERM');
  }

  protected override quit(): Promise<void> {
    return this.kill();
  }

  async #untilUp(): Promise<void> {
    const deadline = performance.now() + START_WITHIN_MS;
    while (!(await this.#isUp())) {
      const late = performance.now() > deadline;
      if (late) await this.kill();
      if (!this.running) throw this.failure(late);
      await sleep(5);
    }
  }

  /** Whether it is this process that answers, and not another one that took the port; data must be loaded, too. */
  async #isUp(): Promise<boolean> {
    const info = await ask(this.#address, ['INFO'], 1_000).catch(() => ''); // refused: not up yet
    return String(info).includes(`process_id:${this.pid}\r\n`) && String(info).includes('\nloading:0\r\n');
  }
}
