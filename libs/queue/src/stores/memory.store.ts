import type { BackendFactory, IQueueBackend } from 'bullmq';
import { cronStrategy } from '../memory/cron.strategy.js';
import { MemoryQueueBackend } from '../memory/memory-queue.backend.js';
import { MemoryQueues } from '../memory/memory-queues.js';
import { SystemQueueClock, type QueueClock } from '../memory/queue-clock.js';
import type { MemoryBackendOptions } from '../memory/worker.settings.js';
import { QueueStore, type StoreFinding } from './queue.store.js';

/** Jobs of this process alone, which are gone with it: for tests, and for trying things out. */
export class MemoryQueueStore extends QueueStore {
  readonly name = 'memory';
  readonly trouble = undefined;
  /** What is delayed, scheduled or rate limited follows it. */
  readonly clock: QueueClock;
  readonly #queues: MemoryQueues;

  constructor({ clock = new SystemQueueClock() }: { readonly clock?: QueueClock } = {}) {
    super();
    this.clock = clock;
    this.#queues = new MemoryQueues(clock);
  }

  async open(): Promise<void> {}

  backendFor(...[name, given, flags]: Parameters<BackendFactory>): IQueueBackend {
    const options: MemoryBackendOptions = given;
    // Queues and workers read their strategy off these options, which are theirs alone: they follow the clock unasked.
    options.settings = { repeatStrategy: cronStrategy(this.clock), ...options.settings };
    return new MemoryQueueBackend({ queues: this.#queues, name, options, forWorker: flags?.withBlockingConnection });
  }

  onReady(listener: () => void): void {
    listener();
  }

  async leastUrgent(queue: string): Promise<string | undefined> {
    for (const { wait, prioritized } of this.#queues.named(queue)) {
      const { lowest, highest } = prioritized;
      if (highest === undefined || (wait.size === 0 && lowest === highest)) continue;
      return prioritized.within(highest, highest, 1)[0];
    }
    return undefined;
  }

  async audit(): Promise<readonly StoreFinding[]> {
    return [];
  }

  async close(): Promise<void> {
    this.#queues.close();
  }
}
