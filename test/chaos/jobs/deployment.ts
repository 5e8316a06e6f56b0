import { MailServer, PostgresServer, RedisServer, ServiceProcess } from '@roost/testing';
import { join } from 'node:path';
import { Pool } from 'pg';
import { READY_WITHIN_MS, Supervisor } from '../supervisor.js';

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

/** The servers, and the processes of the service, under a supervisor that starts what has ended. */
export class Deployment extends Supervisor {
  private constructor(
    readonly options: DeploymentOptions,
    readonly mail: MailServer,
    readonly postgres: PostgresServer,
    readonly redis: RedisServer | undefined,
    /** For those who look at what the service has written. */
    readonly pool: Pool,
  ) {
    super();
  }

  static async start(options: DeploymentOptions): Promise<Deployment> {
    const { store, answerAfterMs } = options;
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
      await deployment.begin([...deployment.names('web'), ...deployment.names('worker')]);
    } catch (error) {
      await deployment.stop();
      throw error;
    }
    return deployment;
  }

  names(role: 'web' | 'worker'): string[] {
    const { webs, workers } = this.options;
    return Array.from({ length: role === 'web' ? webs : workers }, (_, index) => `${role}${index + 1}`);
  }

  /** Of the instances that answer requests, as they were started last. */
  get urls(): string[] {
    return this.names('web').flatMap((name) => this.urlOf(name) ?? []);
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.pool.end();
    await Promise.all([this.redis?.stop(), this.postgres.stop(), this.mail.stop()]);
  }

  protected launch(name: string): Promise<ServiceProcess> {
    const { store, root, webs, workers } = this.options;
    const isWeb = this.names('web').includes(name);
    return ServiceProcess.start({
      entry: join(root, isWeb ? 'dist/main.js' : 'apps/worker/dist/main.js'),
      readyWithinMs: READY_WITHIN_MS,
      env: {
        NODE_ENV: 'production',
        ROLE: isWeb ? 'web' : 'worker',
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
