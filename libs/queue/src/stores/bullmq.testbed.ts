import {
  FlowProducer,
  Queue,
  QueueEvents,
  Worker,
  type BackendFactory,
  type Processor,
  type QueueOptions,
  type RedisQueueBackend,
  type WorkerOptions,
} from 'bullmq';
import type { QueueStore } from './queue.store.js';

/** Makes BullMQ's classes on stores, and closes them in the order in which an application does. */
export class Bench {
  readonly #closing: (() => Promise<unknown>)[] = [];
  readonly errors: Error[] = [];

  async open<Store extends QueueStore>(store: Store): Promise<Store> {
    this.closes(() => store.close());
    await store.open();
    return store;
  }

  queue(store: QueueStore, name: string, options: Partial<QueueOptions> = {}): Queue {
    const queue = new Queue(name, { connection: {}, ...options }, factoryOf(store));
    return this.#kept(queue);
  }

  flows(store: QueueStore): FlowProducer {
    return this.#kept(new FlowProducer({ connection: {} }, factoryOf(store)));
  }

  worker(store: QueueStore, name: string, run: Processor, options: Partial<WorkerOptions> = {}): Worker {
    const all = { connection: {}, ...options };
    return this.#kept(new Worker(name, run, all, factoryOf(store)));
  }

  events(store: QueueStore, name: string, options: object = {}): QueueEvents {
    return this.#kept(new QueueEvents(name, { connection: {}, ...options }, factoryOf(store)));
  }

  closes(close: () => Promise<unknown>): void {
    this.#closing.push(close);
  }

  async close(): Promise<void> {
    this.errors.length = 0;
    for (const close of this.#closing.splice(0).toReversed()) await close();
  }

  #kept<Made extends Queue | Worker | QueueEvents | FlowProducer>(made: Made): Made {
    (made as Queue).on('error', (error) => this.errors.push(error));
    this.closes(() => made.close());
    return made;
  }
}

/** BullMQ's types say Redis where nothing else is named. */
function factoryOf(store: QueueStore): BackendFactory<RedisQueueBackend> {
  return ((...args) => store.backendFor(...args)) as BackendFactory<RedisQueueBackend>;
}

/** How long it took, in ms. */
export async function tookMs(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return performance.now() - startedAt;
}
