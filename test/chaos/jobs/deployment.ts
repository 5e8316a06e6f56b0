import { MailServer, PostgresServer, RedisServer, ServiceProcess } from '@roost/testing';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'pg';

/** Where jobs are kept: in Redis, with Postgres for the outbox, or in Postgres alone. */
export type Store = 'redis' | 'postgres';

export interface DeploymentOptions {
  readonly store: Store;
  /** The folder with the built service and worker. */
  readonly root: string;
  readonly webs: number;
  readonly workers: number;
  readonly answerAfterMs: () => number;
}

/** One process of the service, which is started again and again. */
interface Member {
  readonly role: 'web' | 'worker';
  incarnation: number;
  process: ServiceProcess | undefined;
}

const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 15_000;

/** The servers, and the processes of the service, under a supervisor that starts what has ended. */
export class Deployment {
  readonly #members = new Map<string, Member>();
  readonly #ended: { readonly name: string; readonly process: ServiceProcess }[] = [];
  readonly #doomed = new Set<ServiceProcess>();
  /** Processes that ended when nobody had killed them, or not well when they were asked to. */
  readonly odd: string[] = [];
  /** Boots that failed, because a server was gone. */
  failedBoots = 0;

  private constructor(
    readonly options: DeploymentOptions,
    readonly mail: MailServer,
    readonly postgres: PostgresServer,
    readonly redis: RedisServer | undefined,
    /** For those who look at what the service has written. */
    readonly pool: Pool,
  ) {}

  static async start(options: DeploymentOptions): Promise<Deployment> {
    const { store, webs, workers, answerAfterMs } = options;
    const [mail, postgres, redis] = await Promise.all([
      MailServer.start({ answerAfterMs }),
      PostgresServer.start({ config: { max_connections: 200 } }),
      // What was acknowledged is on the disk: a job that is lost was not lost by Redis.
      store === 'redis' ? RedisServer.start({ appendonly: true, args: ['--appendfsync', 'always'] }) : undefined,
    ]);
    const pool = new Pool({ connectionString: postgres.url, max: 2 });
    pool.on('error', () => {}); // its server was killed; a new connection is made when it is needed
    const deployment = new Deployment(options, mail, postgres, redis, pool);
    try {
      for (let n = 1; n <= webs; n++) deployment.#members.set(`web${n}`, member('web'));
      for (let n = 1; n <= workers; n++) deployment.#members.set(`worker${n}`, member('worker'));
      await Promise.all([...deployment.#members.keys()].map((name) => deployment.revive(name)));
    } catch (error) {
      await deployment.stop();
      throw error;
    }
    return deployment;
  }

  names(role: 'web' | 'worker'): string[] {
    return [...this.#members].filter(([, each]) => each.role === role).map(([name]) => name);
  }

  /** Of the instances that answer requests, as they were started last. */
  get urls(): string[] {
    return this.names('web').flatMap((name) => this.#members.get(name)!.process?.url ?? []);
  }

  /** The name of a process since its last start; mails are sent in this name. */
  lifeOf(name: string): string {
    return `${name}.${this.#members.get(name)!.incarnation}`;
  }

  /** Which member has this process id now. */
  memberOf(pid: number): string | undefined {
    return [...this.#members].find(([, { process }]) => process?.running && process.pid === pid)?.[0];
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.#members.get(name)!.process?.signal(signal);
  }

  async kill(name: string): Promise<void> {
    const { process } = this.#members.get(name)!;
    if (!process) return;
    this.#doomed.add(process);
    process.signal('SIGKILL');
    await process.exited;
  }

  /** Asks a member to end, which it has to do by itself. */
  async terminate(name: string): Promise<void> {
    const { process } = this.#members.get(name)!;
    if (!process) return;
    this.#doomed.add(process);
    const { code, signal } = await process.stop(STOP_WITHIN_MS);
    if (code !== 0) this.odd.push(`${this.lifeOf(name)} was asked to end, and ended with ${code ?? signal}`);
  }

  /** Starts a member that does not run, as often as it takes. */
  async revive(name: string): Promise<void> {
    const found = this.#members.get(name)!;
    const until = performance.now() + READY_WITHIN_MS;
    while (!found.process?.running) {
      if (found.process) this.#ended.push({ name: this.lifeOf(name), process: found.process });
      found.process = undefined;
      found.incarnation++;
      try {
        found.process = await this.#launch(name, found.role);
        this.#watch(this.lifeOf(name), found.process);
      } catch (error) {
        if (performance.now() > until) throw error;
        this.failedBoots++;
        await sleep(100);
      }
    }
  }

  /** Writes down what all processes have printed, and returns the folder. */
  saveLogs(): string {
    const dir = mkdtempSync(join(tmpdir(), 'roost-chaos-jobs-'));
    const living = [...this.#members].flatMap(([name, { process }]) =>
      process ? [{ name: this.lifeOf(name), process }] : [],
    );
    for (const { name, process } of [...this.#ended, ...living])
      writeFileSync(join(dir, `${name}.log`), process.output);
    return dir;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#members.keys()].map((name) => this.terminate(name)));
    await this.pool.end();
    await Promise.all([this.redis?.stop(), this.postgres.stop(), this.mail.stop()]);
  }

  #watch(life: string, process: ServiceProcess): void {
    void process.exited.then(({ code, signal }) => {
      if (!this.#doomed.has(process)) this.odd.push(`${life} ended by itself, with ${code ?? signal}`);
    });
  }

  #launch(name: string, role: Member['role']): Promise<ServiceProcess> {
    const { store, root, webs, workers } = this.options;
    return ServiceProcess.start({
      entry: join(root, role === 'web' ? 'dist/main.js' : 'apps/worker/dist/main.js'),
      readyWithinMs: READY_WITHIN_MS,
      env: {
        NODE_ENV: 'production',
        ROLE: role,
        QUEUE_BACKEND: store,
        DATABASE_URL: this.postgres.url,
        ...(this.redis && { REDIS_URL: this.redis.url }),
        SMTP_URL: this.mail.url,
        MAIL_FROM: `${this.lifeOf(name)}@roost.example`,
        ROOST_REPLICAS: String(webs + workers),
        ROOST_RECHECK_MS: '1000',
        ROOST_DRAIN_MS: '0',
        CATALOGUE_WARM_UP: 'false',
      },
    });
  }
}

function member(role: Member['role']): Member {
  return { role, incarnation: 0, process: undefined };
}
