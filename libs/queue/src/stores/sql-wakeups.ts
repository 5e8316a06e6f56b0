import type { QueuePool } from '../database/queue-pool.js';

const CHANNELS = { jobs: 'bullmq_jobs', events: 'bullmq_events' } as const;

/** Somebody who waits for jobs or events of a queue, for so long. */
export interface Wait {
  readonly over: Promise<void>;
  readonly end: () => void;
  /** Does not wait longer than so many ms from now. */
  readonly shorten: (ms: number) => void;
}

/** Wakes all workers and listeners of one store, which share one connection that is told of new jobs and events. */
export class SqlWakeups {
  readonly #waits = { jobs: new Map<string, Set<Wait>>(), events: new Map<string, Set<Wait>>() };
  #unlisten: (() => Promise<void>)[] = [];

  constructor(private readonly pool: Pick<QueuePool, 'listen'>) {}

  /** Rejects when the database is not there. */
  async start(): Promise<void> {
    if (this.#unlisten.length > 0) return;
    this.#unlisten = await Promise.all(
      (['jobs', 'events'] as const).map((kind) => this.pool.listen(CHANNELS[kind], (queue) => this.#wake(kind, queue))),
    );
  }

  wait(kind: 'jobs' | 'events', queue: string, ms: number): Wait {
    const ofQueue = this.#waits[kind].get(queue) ?? new Set();
    this.#waits[kind].set(queue, ofQueue);
    let end!: () => void;
    const over = new Promise<void>((resolve) => (end = resolve)).finally(() => {
      clearTimeout(timer);
      ofQueue.delete(wait);
    });
    let endsAt = performance.now() + ms;
    let timer = setTimeout(end, ms);
    const shorten = (left: number) => {
      if (performance.now() + left >= endsAt) return;
      endsAt = performance.now() + left;
      clearTimeout(timer);
      timer = setTimeout(end, left);
    };
    const wait: Wait = { over, end, shorten };
    ofQueue.add(wait);
    return wait;
  }

  async close(): Promise<void> {
    this.#wake('jobs', undefined);
    this.#wake('events', undefined);
    await Promise.allSettled(this.#unlisten.splice(0).map((unlisten) => unlisten()));
  }

  /** After a loss of the connection everybody looks for himself. */
  #wake(kind: 'jobs' | 'events', queue: string | undefined): void {
    const sets = queue === undefined ? [...this.#waits[kind].values()] : [this.#waits[kind].get(queue) ?? []];
    for (const wait of sets.flatMap((set) => [...set])) wait.end();
  }
}
