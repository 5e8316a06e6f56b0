import type { MemoryJob } from './memory-job.js';
import { MemoryQueue, type NeighbourQueues } from './memory-queue.js';
import type { QueueClock } from './queue-clock.js';

/** All queues of one store, by their full names: flows reach from one into another. */
export class MemoryQueues implements NeighbourQueues {
  /** Under which name each worker and listener is known, as a server would tell it. */
  readonly clients = new Map<object, string>();
  readonly #queues = new Map<string, MemoryQueue>();
  #closed = false;

  constructor(readonly clock: QueueClock) {}

  get closed(): boolean {
    return this.#closed;
  }

  /** Makes it when nobody has used it before. */
  at(qualifiedName: string): MemoryQueue {
    let queue = this.#queues.get(qualifiedName);
    if (queue === undefined) this.#queues.set(qualifiedName, (queue = new MemoryQueue(qualifiedName, this)));
    return queue;
  }

  /** Those of a name, under whatever prefix. */
  named(name: string): MemoryQueue[] {
    return [...this.#queues.values()].filter(({ key }) => key.endsWith(`:${name}`));
  }

  locate(key: string): { queue: MemoryQueue; id: string } | undefined {
    // Ids of scheduled jobs contain colons as well, so it is the longest name of a queue that counts.
    for (let end = key.lastIndexOf(':'); end > 0; end = key.lastIndexOf(':', end - 1)) {
      const queue = this.#queues.get(key.slice(0, end));
      if (queue) return { queue, id: key.slice(end + 1) };
    }
    return undefined;
  }

  job(key: string): { queue: MemoryQueue; job: MemoryJob } | undefined {
    const found = this.locate(key);
    const job = found?.queue.jobs.get(found.id);
    return found && job && { queue: found.queue, job };
  }

  /** Forgets everything. */
  close(): void {
    this.#closed = true;
    for (const queue of this.#queues.values()) queue.waiters.clear();
    this.#queues.clear();
    this.clients.clear();
  }
}
