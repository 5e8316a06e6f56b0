import { FaultProxy, type PostgresServer, ServiceProcess } from '@roost/testing';
import type { RedisPair } from './nemesis/redis-pair.js';

/** What all workers of a run are told. */
export interface CrewOptions {
  /** The built worker: another one for a mutant. */
  readonly entry: string;
  readonly dir: string;
  readonly seed: number;
  readonly storeUrl: string;
  readonly workloads: readonly string[];
  /** Options of `LockModule`, as JSON. */
  readonly lock: Readonly<Record<string, unknown>>;
  /** The deadline of a command in ms. */
  readonly commandTimeoutMs: number;
}

/** The workers, each with links of its own to Redis and to Postgres. */
export class Crew {
  readonly databases = new Map<string, FaultProxy>();
  readonly #processes = new Map<string, ServiceProcess>();
  readonly #incarnations = new Map<string, number>();
  readonly #printed: string[] = [];

  constructor(
    readonly names: readonly string[],
    private readonly pair: RedisPair,
    private readonly postgres: PostgresServer,
    private readonly options: CrewOptions,
  ) {}

  /** Starts all that do not run. */
  async start(): Promise<void> {
    await Promise.all(this.names.map((name) => this.revive(name)));
  }

  /** Starts one unless it runs. */
  async revive(name: string): Promise<void> {
    if (this.#processes.get(name)?.running) return;
    const incarnation = (this.#incarnations.get(name) ?? 0) + 1;
    this.#incarnations.set(name, incarnation);
    const database = this.databases.get(name) ?? (await FaultProxy.start({ target: this.postgres }));
    this.databases.set(name, database);
    const { entry, dir, seed, storeUrl, workloads, lock, commandTimeoutMs } = this.options;
    const process = await ServiceProcess.start({
      entry,
      readyWithinMs: 60_000,
      env: {
        NODE_ENV: 'production',
        CHAOS_NAME: `${name}.${incarnation}`,
        CHAOS_DIR: dir,
        CHAOS_SEED: String(seed * 1_000 + this.names.indexOf(name) * 100 + incarnation),
        CHAOS_WORKLOADS: workloads.join(','),
        CHAOS_LOCK: JSON.stringify(lock),
        CHAOS_COMMAND_TIMEOUT_MS: String(commandTimeoutMs),
        REDIS_URL: (await this.pair.link(name)).url,
        DATABASE_URL: `postgres://postgres@127.0.0.1:${database.port}/postgres`,
        STORE_URL: storeUrl,
      },
    });
    this.#processes.set(name, process);
  }

  /** Sends a signal to one that runs. */
  signal(name: string, signal: NodeJS.Signals): void {
    this.#processes.get(name)?.signal(signal);
  }

  /** Ends one at once, and waits until it has ended. */
  async kill(name: string): Promise<void> {
    this.signal(name, 'SIGKILL');
    await this.#processes.get(name)?.exited;
  }

  /** Asks a worker for something; one that stands still or was killed does not answer. */
  async tell(name: string, verb: string, query: Readonly<Record<string, string>> = {}): Promise<void> {
    const signal = AbortSignal.timeout(5_000);
    const path = `/${verb}?${new URLSearchParams(query).toString()}`;
    await this.#processes
      .get(name)
      ?.fetch(path, { signal })
      .catch(() => undefined); // it need not have heard
  }

  /** Lets all finish what they do and end; resolves to what they printed, which should be nothing. */
  async stop(): Promise<string> {
    const ended = [...this.#processes].map(async ([name, process]) => {
      const exit = await process.stop(15_000);
      if (exit.code !== 0 && exit.signal !== 'SIGKILL') this.#printed.push(`${name} ended with ${exit.code}`);
      if (process.output) this.#printed.push(process.output);
    });
    await Promise.all(ended);
    await Promise.all([...this.databases.values()].map((proxy) => proxy.stop()));
    return this.#printed.join('\n');
  }
}
