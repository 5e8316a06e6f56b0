import type { BackendFactory, IQueueBackend } from 'bullmq';

/** Which database keeps the jobs. `embedded` is Postgres inside this process, `memory` forgets them with it. */
export type QueueStoreName = 'redis' | 'postgres' | 'embedded' | 'memory';

/** What a look at a deployment has found. `refuse`: jobs would be lost or run twice; `warn`: they may be. */
export interface StoreFinding {
  readonly severity: 'refuse' | 'warn';
  /** A stable word for logs, such as `eviction`. */
  readonly about: 'eviction' | 'persistence' | 'replication' | 'clock-skew' | 'version';
  readonly message: string;
}

/** Where jobs are kept: makes what BullMQ's classes run on, and knows whether it can be reached. */
export abstract class QueueStore {
  abstract readonly name: QueueStoreName;

  /** One word for why nobody can be served now; undefined when as far as is known everybody can. Costs nothing. */
  abstract readonly trouble: string | undefined;

  /**
   * Begins to connect. Resolves when the store serves, or after two seconds without it: it is then waited for in the
   * background.
   * @throws InvalidOptionsError or QueueSetupError when waiting would not help.
   */
  abstract open(): Promise<void>;

  /** The backend of a Queue, Worker, QueueEvents or FlowProducer. Never waits, whatever the state of the store. */
  abstract backendFor(...args: Parameters<BackendFactory>): IQueueBackend;

  /** Hears whenever the store has become reachable: at first, and after each loss. A store that is there tells at once. */
  abstract onReady(listener: () => void): void;

  /** The id of the job that waits longest among the least urgent, where jobs have priorities. */
  abstract leastUrgent(queue: string): Promise<string | undefined>;

  /** What about the deployment endangers jobs. Bounded in time; a store that cannot be asked has no findings. */
  abstract audit(): Promise<readonly StoreFinding[]>;

  /** Bounded in time, also when the store was never reachable. Whatever was lent to BullMQ is dead afterwards. */
  abstract close(): Promise<void>;
}
