import { RedisServer, ServiceProcess } from '@roost/testing';
import { join } from 'node:path';
import { READY_WITHIN_MS, Supervisor } from '../supervisor.js';
import type { Place } from './device.js';

const NAMES = ['web1', 'web2', 'web3'];

/** Redis, and three instances of the service that share it. */
export class Deployment extends Supervisor {
  readonly names = NAMES;
  /** Instances that a balancer sends nobody to: they are being killed, or asked to end. */
  readonly #closed = new Set<string>();

  private constructor(
    readonly redis: RedisServer,
    /** The folder with the built service. */
    private readonly root: string,
  ) {
    super();
  }

  static async start(root: string): Promise<Deployment> {
    // What was acknowledged is on the disk, so that sessions and presence come back as they were.
    const redis = await RedisServer.start({ appendonly: true, args: ['--appendfsync', 'always'] });
    const deployment = new Deployment(redis, root);
    try {
      await deployment.begin(NAMES);
    } catch (error) {
      await deployment.stop();
      throw error;
    }
    return deployment;
  }

  /** Where clients may connect to. */
  get places(): Place[] {
    return NAMES.filter((name) => !this.#closed.has(name)).flatMap((name) => {
      const url = this.urlOf(name);
      return url === undefined ? [] : [{ life: this.lifeOf(name), url }];
    });
  }

  /** Ends an instance in one way or the other, and starts it again after a while. */
  async replace(name: string, how: 'kill' | 'terminate', afterMs: number): Promise<void> {
    this.#closed.add(name);
    await this[how](name);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await this.revive(name);
    this.#closed.delete(name);
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.redis.stop();
  }

  protected launch(): Promise<ServiceProcess> {
    return ServiceProcess.start({
      entry: join(this.root, 'dist/main.js'),
      readyWithinMs: READY_WITHIN_MS,
      env: {
        NODE_ENV: 'development', // codes are in the answers
        REDIS_URL: this.redis.url,
        DATABASE_URL: 'memory:',
        QUEUE_BACKEND: 'memory',
        CACHE_BACKEND: 'memory',
        RATE_LIMIT_BACKEND: 'memory',
        LOCK_BACKEND: 'memory',
        ROOST_PROXY: '1',
        ROOST_RECHECK_MS: '500',
        ROOST_DRAIN_MS: '0',
        CATALOGUE_WARM_UP: 'false',
      },
    });
  }
}
