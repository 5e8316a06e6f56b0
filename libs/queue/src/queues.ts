import { InvalidOptionsError, show } from '@roost/redis';
import { Queue } from 'bullmq';
import { isDeepStrictEqual } from 'node:util';
import { askWithin, within } from './jobs/deadline.js';
import { storedOptions } from './jobs/job.check.js';
import { JobProducer, troubleOf, type Waiting } from './jobs/job-producer.js';
import { JobQueue, type PendingJobs } from './jobs/job-queue.js';
import { resolveQueue, type QueueConfig, type ResolvedQueue } from './queue.config.js';
import type { QueueMetrics } from './queue.metrics.js';
import type { QueueOptions } from './queue.options.js';
import type { QueueStores } from './queue.stores.js';
import type { QueueStore } from './stores/queue.store.js';

const CLOSE_WITHIN_MS = 1_000;

/** One queue with all that it is made of. */
export interface QueueEntry {
  readonly settings: ResolvedQueue;
  readonly store: QueueStore;
  /** BullMQ's, as `@InjectQueue` has it. */
  readonly queue: Queue;
  readonly producer: JobProducer;
  readonly jobs: JobQueue;
}

export interface QueuesParts {
  readonly config: QueueConfig;
  readonly stores: QueueStores;
  readonly metrics: QueueMetrics;
  /** The outbox of stores that may be lost. */
  readonly outbox: () => (Waiting & PendingJobs) | undefined;
  readonly onError: (queue: string, error: Error) => void;
}

/** The queues of this application. */
export class Queues {
  readonly #entries = new Map<string, Promise<QueueEntry>>();
  readonly #options = new Map<string, QueueOptions>();
  readonly #ready = new Map<string, QueueEntry>();

  constructor(private readonly parts: QueuesParts) {}

  /** @throws InvalidOptionsError when a queue is registered twice, differently. */
  register(name: string, options: QueueOptions): Promise<QueueEntry> {
    const before = this.#options.get(name);
    if (before !== undefined && !isDeepStrictEqual(before, options)) {
      throw new InvalidOptionsError('QueueModule', [`Queue ${show(name)} is registered twice, with different options`]);
    }
    this.#options.set(name, options);
    let entry = this.#entries.get(name);
    if (entry === undefined) this.#entries.set(name, (entry = this.#open(name, options)));
    return entry;
  }

  /** Those that are open. */
  all(): readonly QueueEntry[] {
    return [...this.#ready.values()];
  }

  get(name: string): QueueEntry | undefined {
    return this.#ready.get(name);
  }

  async close(): Promise<void> {
    for (const { producer } of this.all()) producer.close();
    await Promise.allSettled(this.all().map(({ queue }) => within(CLOSE_WITHIN_MS, queue.close())));
  }

  async #open(name: string, options: QueueOptions): Promise<QueueEntry> {
    const { config, stores, metrics, outbox, onError } = this.parts;
    const settings = resolveQueue(name, options, config.defaults);
    const store = await stores.get(settings.backend);
    const queue = new Queue(name, { ...stores.lend(store), defaultJobOptions: storedOptions(settings.defaults, 0) });
    queue.on('error', (error) => onError(name, error));
    const outboxOf = () => (mayBeLost(store) ? outbox() : undefined);
    const producer = new JobProducer(queue, store, outboxOf, config.enqueueMs, metrics);
    const ask = askWithin(name, config.enqueueMs, () => troubleOf(store));
    const jobs = new JobQueue(
      settings,
      producer,
      {
        has: async (queued, id) => (await outboxOf()?.has(queued, id)) ?? false,
        remove: async (queued, id) => (await outboxOf()?.remove(queued, id)) ?? false,
      },
      ask,
      () => config.clock.now(),
    );
    const entry = { settings, store, queue, producer, jobs };
    this.#ready.set(name, entry);
    return entry;
  }
}

/** Whether jobs wait elsewhere while a store is lost: one in the database itself is lost together with its outbox. */
export function mayBeLost(store: QueueStore): boolean {
  return store.name === 'redis' || store.name === 'memory';
}
