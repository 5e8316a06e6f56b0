import { eventually, FaultProxy, RedisServer } from '@roost/testing';

/** How the servers of a run are set up. */
export interface PairOptions {
  /** Whether data survives a restart. */
  readonly appendonly: boolean;
  /** A primary that hears of no replica for a second refuses writes, so that one that is isolated grants no more. */
  readonly minReplicas: boolean;
}

/** A primary and a replica whose link can be cut, and one proxy per worker that leads to the primary. */
export class RedisPair {
  readonly links = new Map<string, FaultProxy>();

  private constructor(
    public primary: RedisServer,
    public replica: RedisServer,
    /** Through it the replica hears of the primary. */
    readonly replication: FaultProxy,
    private readonly options: PairOptions,
  ) {}

  static async start(options: PairOptions): Promise<RedisPair> {
    // Without a delay a replica attaches at once, instead of after five seconds.
    const args = ['--repl-diskless-sync-delay', '0', '--repl-timeout', '5', '--repl-ping-replica-period', '1'];
    const start = () => RedisServer.start({ appendonly: options.appendonly, args });
    const [primary, replica] = await Promise.all([start(), start()]);
    const replication = await FaultProxy.start({ target: primary });
    const pair = new RedisPair(primary, replica, replication, options);
    await pair.follow();
    return pair;
  }

  /** The worker's own way to the primary. */
  async link(worker: string): Promise<FaultProxy> {
    const present = this.links.get(worker);
    if (present) return present;
    const made = await FaultProxy.start({ target: this.primary });
    this.links.set(worker, made);
    return made;
  }

  /** Makes the replica follow the primary, and waits until it does. */
  async follow(): Promise<void> {
    this.replication.retarget(this.primary.port);
    this.replication.reset();
    await this.replication.pass();
    await this.replica.command('REPLICAOF', '127.0.0.1', this.replication.port);
    const attached = async () =>
      String(await this.replica.command('INFO', 'replication')).includes('master_link_status:up');
    await eventually(attached, { within: 15_000 });
    if (!this.options.minReplicas) return;
    await this.primary.command('CONFIG', 'SET', 'min-replicas-to-write', 1, 'min-replicas-max-lag', 1);
    await this.replica.command('CONFIG', 'SET', 'min-replicas-to-write', 0);
  }

  /** The replica becomes the primary, and these workers are led to it. The old primary goes on as if nothing were. */
  async promote(workers: readonly string[] = [...this.links.keys()]): Promise<void> {
    await this.replica.command('REPLICAOF', 'NO', 'ONE');
    [this.primary, this.replica] = [this.replica, this.primary];
    this.lead(workers);
  }

  /** Leads workers to the primary, with connections of today. */
  lead(workers: readonly string[] = [...this.links.keys()]): void {
    for (const worker of workers) {
      this.links.get(worker)?.retarget(this.primary.port);
      this.links.get(worker)?.reset();
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.links.values(), this.replication].map((proxy) => proxy.stop()));
    await Promise.all([this.primary.stop(), this.replica.stop()]);
  }
}
