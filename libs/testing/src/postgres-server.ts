import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.js';
import { childrenOf, findPostgres, postgresUser, type RunAs, sendSignal } from './postgres-installation.js';
import { isFree } from './ports.js';
import { type Home, ServerProcess } from './server-process.js';

const START_WITHIN_MS = 30_000;

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
export class PostgresServer extends ServerProcess {
  readonly url: string;
  readonly #options: PostgresServerOptions;
  readonly #runAs: RunAs;

  private constructor(options: PostgresServerOptions, home: Home, port: number, runAs: RunAs) {
    super('PostgreSQL', home, port);
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`;
    this.#options = options;
    this.#runAs = runAs;
  }

  /** Creates a database cluster of its own, starts a server on it and waits until it takes connections. */
  static start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    return ServerProcess.settle('postgres', async (home) => {
      const runAs = postgresUser();
      if (runAs.uid !== undefined) await chown(home.dir, runAs.uid, runAs.gid!);
      await createCluster(home.dir, runAs);
      return ServerProcess.launched(options.port, (port) => new PostgresServer(options, home, port, runAs));
    });
  }

  /** Sends SIGKILL to all its processes and waits for the end: connections break, new ones are refused. Data stays. */
  async kill(): Promise<void> {
    if (!this.running) return;
    // Stopped first: it would start new children between the look at them and its end.
    this.child.kill('SIGSTOP');
    const children = childrenOf(this.pid);
    await this.end('SIGKILL');
    for (const pid of children) sendSignal(pid, 'SIGKILL');
    // One that was just born still listens, until the signal has reached it.
    await eventually(() => isFree(this.port), { within: START_WITHIN_MS, every: 5 });
  }

  protected override async launch(): Promise<void> {
    const deadline = performance.now() + START_WITHIN_MS;
    for (;;) {
      await this.spawn(findPostgres('postgres'), toArguments(this.#options, this.dir, this.port), this.#runAs);
      if (await this.#untilUp(deadline)) return;
      const late = performance.now() > deadline;
      // The processes of a killed server need a moment to be gone.
      if (late || !this.log.includes('pre-existing shared memory block')) throw this.failure(late);
      await sleep(20);
    }
  }

  protected override shutDown(): Promise<void> {
    return this.end('SIGINT');
  }

  protected override async quit(): Promise<void> {
    if (this.running) {
      this.thaw();
      // Immediate shutdown: it does not even write a checkpoint, but frees its shared memory.
      await this.end('SIGQUIT');
    }
    const memory = readPidFile(this.dir)[6]?.trim().split(/\s+/)[1];
    // Left by `kill()`: the kernel keeps such a segment until the machine is restarted, and has room for only so many.
    if (memory !== undefined) spawnSync('ipcrm', ['-m', memory], { stdio: 'ignore' });
  }

  /** To all its processes. */
  protected override signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    super.signal(signal);
    for (const pid of childrenOf(this.pid)) sendSignal(pid, signal);
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
