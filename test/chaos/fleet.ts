import {
  FaultProxy,
  PostgresServer,
  RedisServer,
  ServiceProcess,
  type PostgresServerOptions,
  type RedisServerOptions,
} from '@roost/testing';
import { existsSync } from 'node:fs';

const ENTRY = 'dist/main.js';

/** Where scripts are counted: the cache has its own, and runs them when it likes. */
export const COUNTED = { CACHE_BACKEND: 'memory', QUEUE_BACKEND: 'memory', PRESENCE_BACKEND: 'memory' };

export interface FleetOptions {
  readonly instances?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly redis?: RedisServerOptions;
  /** Gives the instances a Postgres to share; without it, each has one of its own in memory. */
  readonly postgres?: PostgresServerOptions;
  /** Puts a fault proxy between the instances and Redis. */
  readonly proxied?: boolean;
}

/** Several instances of the built service that share one redis-server, as they would in production. */
export class Fleet {
  readonly services: ServiceProcess[] = [];

  private constructor(
    readonly server: RedisServer,
    readonly proxy: FaultProxy | undefined,
    private readonly database: PostgresServer | undefined,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  static async start({ instances = 2, env = {}, redis, postgres, proxied }: FleetOptions = {}): Promise<Fleet> {
    if (!existsSync(ENTRY)) throw new Error(`${ENTRY} is not there: run "npm run build" first`);
    const server = await RedisServer.start(redis);
    const proxy = proxied ? await FaultProxy.start({ target: server }) : undefined;
    const database = postgres && (await PostgresServer.start(postgres));
    const fleet = new Fleet(server, proxy, database, {
      NODE_ENV: 'production',
      REDIS_URL: proxy?.url ?? server.url,
      ROOST_REPLICAS: String(instances),
      ROOST_RECHECK_MS: '1000',
      ROOST_DRAIN_MS: '0',
      ROOST_ADMIN_TOKEN: 'chaos-admin-token',
      DATABASE_URL: database?.url ?? 'memory:',
      // A database in memory is opened when it is first needed, which takes seconds of a busy machine.
      CATALOGUE_WARM_UP: 'false',
      ...env,
    });
    await Promise.all(Array.from({ length: instances }, () => fleet.add()));
    return fleet;
  }

  async add(env: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
    const service = await ServiceProcess.start({ entry: ENTRY, env: { ...this.env, ...env } });
    this.services.push(service);
    return service;
  }

  get one(): ServiceProcess {
    return this.services[0]!;
  }

  get other(): ServiceProcess {
    return this.services[1]!;
  }

  get postgres(): PostgresServer {
    return this.database!;
  }

  /** The backend that each instance uses, as its readiness shows it. */
  async backends(): Promise<string[]> {
    return Promise.all(this.services.map(async (service) => (await ready(service)).details.redis.current));
  }

  /** Whether every instance uses this backend. */
  async allOn(backend: 'redis' | 'memory'): Promise<boolean> {
    return (await this.backends()).every((each) => each === backend);
  }

  /** How often scripts ran in Redis, save the census that instances take among themselves. */
  async executed(): Promise<number> {
    const { eval: evals, evalsha, zcard: census } = await this.server.commandStats();
    const failed = (evals?.failedCalls ?? 0) + (evalsha?.failedCalls ?? 0);
    return (evals?.calls ?? 0) + (evalsha?.calls ?? 0) - failed - (census?.calls ?? 0);
  }

  async stop(): Promise<void> {
    await Promise.all(this.services.map((service) => service.stop()));
    await this.proxy?.stop();
    await this.database?.stop();
    await this.server.stop();
  }
}

export interface Readiness {
  readonly status: string;
  readonly details: {
    readonly redis: { readonly current: string; readonly reason: string | null };
    readonly database: { readonly status: string; readonly backend: string; readonly reason?: string };
  };
}

export async function ready(service: ServiceProcess): Promise<Readiness> {
  return (await (await service.fetch('/readyz')).json()) as Readiness;
}
