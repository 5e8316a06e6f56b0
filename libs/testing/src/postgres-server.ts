import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Leash } from './leash.js';
import { freePort } from './ports.js';
import { childrenOf, findPostgres, postgresUser, type RunAs, sendSignal } from './postgres-installation.js';

const START_WITHIN_MS = 30_000;
const SHUTDOWN_WITHIN_MS = 5_000;
const START_ATTEMPTS = 5;

/** How a {@link PostgresServer} is started. */
export interface PostgresServerOptions {
  /** @default a free port, chosen anew when somebody else was quicker */
  readonly port?: number;
  /** More configuration, by name: `{ max_connections: 20 }`. */
  readonly config?: Readonly<Record<string, string | number>>;
  /** Whether commits reach the disk; data survives `kill()` either way. @default false */
  readonly fsync?: boolean;
}

/**
 * A real PostgreSQL server of the test's own, that can be killed, frozen and brought back. Its user is `postgres`,
 * without a password, its database `postgres`.
 * @example
 * const server = await PostgresServer.start();
 * const pool = new Pool({ connectionString: server.url });
 * server.freeze(); // clients now wait for an answer that does not come
 * await server.stop();
 */
export class PostgresServer {
  readonly port: number;
  readonly url: string;
  /** Its working directory, removed by `stop()`. */
  readonly dir: string;
  readonly #options: PostgresServerOptions;
  readonly #leash: Leash;
  readonly #runAs: RunAs;
  #child: ChildProcess;
  #stopping: Promise<void> | undefined;

  private constructor(options: PostgresServerOptions, dir: string, port: number, leash: Leash, runAs: RunAs) {
    this.port = port;
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`;
    this.dir = dir;
    this.#options = options;
    this.#leash = leash;
    this.#runAs = runAs;
  }

  /** Creates a database cluster of its own, starts a server on it and waits until it takes connections. */
  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const dir = await mkdtemp(join(tmpdir(), 'roost-postgres-'));
    const leash = new Leash(dir);
    try {
      const runAs = postgresUser();
      if (runAs.uid !== undefined) await chown(dir, runAs.uid, runAs.gid!);
      await createCluster(dir, runAs);
      return await PostgresServer.#launchOnFreePort(options, dir, leash, runAs);
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

  /** Sends SIGSTOP to all its processes: connections stay open, nothing is answered, the kernel accepts new ones. */
  freeze(): void {
    this.#signal('SIGSTOP');
  }

  /** Sends SIGCONT: what arrived meanwhile is executed and answered. */
  thaw(): void {
    this.#signal('SIGCONT');
  }

  /** Sends SIGKILL to all its processes and waits for the end: connections break, new ones are refused. Data stays. */
  async kill(): Promise<void> {
    if (!this.running) return;
    // Stopped first: it would start new children between the look at them and its end.
    this.#child.kill('SIGSTOP');
    const children = childrenOf(this.pid);
    await this.#end('SIGKILL');
    for (const pid of children) sendSignal(pid, 'SIGKILL');
  }

  /** Starts again on the same port and data, after a clean shutdown when still running. */
  async restart(): Promise<void> {
    if (this.#stopping) throw new Error(`The PostgreSQL on port ${this.port} was stopped; start a new one.`);
    if (this.running) {
      this.thaw();
      await this.#end('SIGINT');
    }
    await this.#launch();
  }

  /** Ends the server, frozen or not, and removes its directory. May be called twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#quit().then(() => tidy(this.dir, this.#leash));
    return this.#stopping;
  }

  static async #launchOnFreePort(
    options: PostgresServerOptions,
    dir: string,
    leash: Leash,
    runAs: RunAs,
  ): Promise<PostgresServer> {
    for (let attempt = 1; ; attempt++) {
      const server = new PostgresServer(options, dir, options.port ?? (await freePort()), leash, runAs);
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
    const deadline = performance.now() + START_WITHIN_MS;
    for (;;) {
      await this.#spawn();
      if (await this.#untilUp(deadline)) return;
      const late = performance.now() > deadline;
      // The processes of a killed server need a moment to be gone.
      if (late || !this.log.includes('pre-existing shared memory block')) {
        throw new Error(`PostgreSQL on port ${this.port} ${late ? 'was too slow' : 'ended'} at start:\n${this.log}`);
      }
      await sleep(20);
    }
  }

  async #spawn(): Promise<void> {
    const binary = findPostgres('postgres');
    const log = openSync(join(this.dir, 'server.log'), 'w');
    this.#child = spawn(binary, toArguments(this.#options, this.dir, this.port), {
      ...this.#runAs,
      cwd: this.dir,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    if (this.#child.pid === undefined) throw (await once(this.#child, 'error'))[0];
    this.#leash.hold(this.#child);
    this.#child.unref(); // a forgotten server must not keep the test process from ending: the leash ends the server
  }

  async #untilUp(deadline: number): Promise<boolean> {
    while (this.running) {
      const [pid, , , , , , , status] = readPidFile(this.dir);
      if (Number(pid) === this.pid && status?.trim() === 'ready') return true;
      if (performance.now() > deadline) await this.kill();
      await sleep(5);
    }
    return false;
  }

  async #quit(): Promise<void> {
    if (this.running) {
      this.thaw();
      // Immediate shutdown: it does not even write a checkpoint, but frees its shared memory.
      await this.#end('SIGQUIT');
    }
    const memory = readPidFile(this.dir)[6]?.trim().split(/\s+/)[1];
    // Left by `kill()`: the kernel keeps such a segment until the machine is restarted, and has room for only so many.
    if (memory !== undefined) spawnSync('ipcrm', ['-m', memory], { stdio: 'ignore' });
  }

  async #end(signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL'): Promise<void> {
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
      throw new Error(`Cannot send ${signal}: the PostgreSQL on port ${this.port} is not running.`);
    }
    for (const pid of childrenOf(this.pid)) sendSignal(pid, signal);
  }
}

function toArguments({ config = {}, fsync = false }: PostgresServerOptions, dir: string, port: number): string[] {
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    fsync: fsync ? 'on' : 'off',
    shared_buffers: '16MB',
    max_connections: 100,
    ...config,
  };
  return ['-D', join(dir, 'data'), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

async function createCluster(dir: string, runAs: RunAs): Promise<void> {
  const binary = findPostgres('initdb');
  const flags = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions'];
  const child = spawn(binary, ['-D', join(dir, 'data'), ...flags], {
    ...runAs,
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed: unknown[] = [];
  child.stdout.on('data', (chunk) => printed.push(chunk));
  child.stderr.on('data', (chunk) => printed.push(chunk));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`initdb failed:\n${printed.join('')}`);
}

/** Lines of the file in which the server says who it is: pid first, shared memory seventh, status eighth. */
function readPidFile(dir: string): string[] {
  try {
    return readFileSync(join(dir, 'data', 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return []; // not written yet, or removed at a clean end
  }
}

async function tidy(dir: string, leash: Leash): Promise<void> {
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  leash.cut();
}
