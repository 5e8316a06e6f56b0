import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Leash } from './leash.js';
import { freePort } from './ports.js';

const SHUTDOWN_WITHIN_MS = 5_000;
const START_ATTEMPTS = 5;

/** Where a server lives: a directory of its own, which goes with this process. */
export interface Home {
  readonly dir: string;
  readonly leash: Leash;
}

/** A server of the test's own, that can be frozen, and ends with this process at the latest. */
export abstract class ServerProcess {
  /** Its working directory, removed by `stop()`. */
  readonly dir: string;
  protected child!: ChildProcess;
  readonly #leash: Leash;
  #stopping: Promise<void> | undefined;

  protected constructor(
    /** What it is called in messages. */
    private readonly name: string,
    { dir, leash }: Home,
    readonly port: number,
  ) {
    this.dir = dir;
    this.#leash = leash;
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** What the server printed since its last start. */
  get log(): string {
    return readFileSync(join(this.dir, 'server.log'), 'utf8');
  }

  /** Sends SIGSTOP: connections stay open, nothing is answered, new connections are still accepted by the kernel. */
  freeze(): void {
    this.signal('SIGSTOP');
  }

  /** Sends SIGCONT: what arrived meanwhile is executed and answered. */
  thaw(): void {
    this.signal('SIGCONT');
  }

  /** Ends the server, frozen or not, and removes its directory. May be called twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.quit().then(() => leave({ dir: this.dir, leash: this.#leash }));
    return this.#stopping;
  }

  /** Starts again on the same port and data, after a clean shutdown when still running. */
  async restart(): Promise<void> {
    if (this.#stopping) throw new Error(`The ${this.name} on port ${this.port} was stopped; start a new one.`);
    if (this.running) {
      this.thaw();
      await this.shutDown();
    }
    await this.launch();
  }

  /** Resolves when it serves. */
  protected abstract launch(): Promise<void>;
  /** Ends it, and what it has written. */
  protected abstract shutDown(): Promise<void>;
  /** Ends it for good, as quickly as may be. */
  protected abstract quit(): Promise<void>;

  protected async spawn(binary: string, args: readonly string[], options: SpawnOptions = {}): Promise<void> {
    const log = openSync(join(this.dir, 'server.log'), 'w');
    this.child = spawn(binary, args, { ...options, cwd: this.dir, stdio: ['ignore', log, log] });
    closeSync(log);
    if (this.child.pid === undefined) throw (await once(this.child, 'error'))[0];
    this.#leash.hold(this.child);
    this.child.unref(); // a forgotten server must not keep the test process from ending: the leash ends the server
  }

  protected async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.running) return;
    this.child.ref();
    const ended = once(this.child, 'exit');
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), SHUTDOWN_WITHIN_MS);
    await ended;
    clearTimeout(timer);
  }

  protected signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (!this.child.kill(signal)) {
      throw new Error(`Cannot send ${signal}: the ${this.name} on port ${this.port} is not running.`);
    }
  }

  protected failure(late: boolean): Error {
    return new Error(`${this.name} on port ${this.port} ${late ? 'was too slow' : 'ended'} at start:\n${this.log}`);
  }

  /** Moves in, and leaves nothing behind when that fails. */
  protected static async settle<Server>(kind: string, moveIn: (home: Home) => Promise<Server>): Promise<Server> {
    const dir = await mkdtemp(join(tmpdir(), `roost-${kind}-`));
    const home = { dir, leash: new Leash(dir) };
    try {
      return await moveIn(home);
    } catch (error) {
      await leave(home);
      throw error;
    }
  }

  /** Launches it on the port, or on a free one, chosen anew when somebody else was quicker. */
  protected static async launched<Server extends ServerProcess>(
    port: number | undefined,
    create: (port: number) => Server,
  ): Promise<Server> {
    for (let attempt = 1; ; attempt++) {
      const server = create(port ?? (await freePort()));
      try {
        await server.launch();
        return server;
      } catch (error) {
        const taken = String(error).includes('Address already in use');
        if (!taken || port !== undefined || attempt === START_ATTEMPTS) throw error;
      }
    }
  }
}

async function leave({ dir, leash }: Home): Promise<void> {
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  leash.cut();
}
