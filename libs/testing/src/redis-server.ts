import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Leash } from './leash.js';
import { freePort } from './ports.js';
import { type RedisServerOptions, toArguments, toUrl } from './redis-server.options.js';
import { ask, type RespAddress, RespConnection } from './resp-connection.js';

const START_WITHIN_MS = 10_000;
const SHUTDOWN_WITHIN_MS = 5_000;
const ANSWER_WITHIN_MS = 10_000;
const START_ATTEMPTS = 5;

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
  stop(): void;
}

/**
 * A real redis-server of the test's own, that can be killed, frozen and brought back.
 * @example
 * const server = await RedisServer.start({ args: ['--maxmemory', '3mb'] });
 * server.freeze(); // connected clients now wait for an answer that does not come
 * await server.stop();
 */
export class RedisServer {
  readonly port: number;
  readonly url: string;
  /** Its working directory, removed by `stop()`. */
  readonly dir: string;
  readonly #options: RedisServerOptions;
  readonly #address: RespAddress;
  readonly #leash: Leash;
  #child: ChildProcess;
  #stopping: Promise<void> | undefined;

  private constructor(options: RedisServerOptions, dir: string, port: number, leash: Leash) {
    this.port = port;
    this.url = toUrl(options, port);
    this.dir = dir;
    this.#options = options;
    this.#leash = leash;
    this.#address = {
      port,
      ca: options.tls?.ca,
      admin: { name: 'roost-testing', password: randomBytes(12).toString('hex') },
    };
  }

  /** Starts a server and waits until it answers. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const dir = await mkdtemp(join(tmpdir(), 'roost-redis-'));
    const leash = new Leash(dir);
    try {
      return await RedisServer.#launchOnFreePort(options, dir, leash);
    } catch (error) {
      await tidy(dir, leash);
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What the server printed since its last start. */
  get log(): string {
    return readFileSync(join(this.dir, 'server.log'), 'utf8');
  }

  /** Sends SIGSTOP: connections stay open, nothing is answered, new connections are still accepted by the kernel. */
  freeze(): void {
    this.#signal('SIGSTOP');
  }

  /** Sends SIGCONT: everything that arrived meanwhile is executed and answered. */
  thaw(): void {
    this.#signal('SIGCONT');
  }

  /** Sends SIGKILL and waits for the end: clients see their connections break, then refusals. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Starts again on the same port and directory, after a clean shutdown when still running. */
  async restart(): Promise<void> {
    if (this.#stopping) throw new Error(`The redis-server on port ${this.port} was stopped; start a new one.`);
    if (this.running) {
      this.thaw();
      await this.#end('SIGTERM');
    }
    await this.#launch();
  }

  /** Ends the server, frozen or not, and removes its directory. May be called twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.kill().then(() => tidy(this.dir, this.#leash));
    return this.#stopping;
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
    return { lines, stop: () => connection.close() };
  }

  static async #launchOnFreePort(options: RedisServerOptions, dir: string, leash: Leash): Promise<RedisServer> {
    for (let attempt = 1; ; attempt++) {
      const server = new RedisServer(options, dir, options.port ?? (await freePort()), leash);
      try {
        await server.#launch();
        return server;
      } catch (error) {
        const taken = String(error).includes('Address already in use');
        if (!taken || options.port !== undefined || attempt === START_ATTEMPTS) throw error;
      }
    }
  }

  async #launch(): Promise<void> {
    const { binary = 'redis-server' } = this.#options;
    const log = openSync(join(this.dir, 'server.log'), 'w');
    this.#child = spawn(binary, toArguments(this.#options, this.dir, this.#address), { stdio: ['ignore', log, log] });
    closeSync(log);
    if (this.#child.pid === undefined) throw await explainSpawnError(this.#child, binary);
    this.#leash.hold(this.#child);
    this.#child.unref(); // a forgotten server must not keep the test process from ending: the leash ends the server
    await this.#untilUp();
  }

  async #untilUp(): Promise<void> {
    const deadline = performance.now() + START_WITHIN_MS;
    while (!(await this.#isUp())) {
      const late = performance.now() > deadline;
      if (late) await this.kill();
      if (!this.running) {
        throw new Error(`redis-server on port ${this.port} ${late ? 'was too slow' : 'ended'} at start:\n${this.log}`);
      }
      await sleep(5);
    }
  }

  /** Whether it is this process that answers, and not another one that took the port; data must be loaded, too. */
  async #isUp(): Promise<boolean> {
    const info = await ask(this.#address, ['INFO'], 1_000).catch(() => ''); // refused: not up yet
    return String(info).includes(`process_id:${this.pid}\r\n`) && String(info).includes('\nloading:0\r\n');
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!this.running) return;
    this.#child.ref();
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), SHUTDOWN_WITHIN_MS);
    await ended;
    clearTimeout(timer);
  }

  #signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (!this.#child.kill(signal)) {
      throw new Error(`Cannot send ${signal}: the redis-server on port ${this.port} is not running.`);
    }
  }
}

async function tidy(dir: string, leash: Leash): Promise<void> {
  await rm(dir, { recursive: true, force: true });
  leash.cut();
}

async function explainSpawnError(child: ChildProcess, binary: string): Promise<Error> {
  const [error] = (await once(child, 'error')) as [NodeJS.ErrnoException];
  if (error.code !== 'ENOENT') return error;
  return new Error(`${binary} not found on PATH. Install it: apt-get install redis-server`, { cause: error });
}
