import type { QueuePool } from '../database/queue-pool.js';
import { within } from '../jobs/deadline.js';

const CHANNELS = { jobs: 'bullmq_jobs', events: 'bullmq_events' } as const;
const CLOSE_WITHIN_MS = 300;

type Kind = keyof typeof CHANNELS;

/** Somebody who waits for jobs or events of a queue, for so long. */
export interface Wait {
  readonly over: Promise<void>;
  readonly end: () => void;
  /** Does not wait longer than so many ms from now. */
  readonly shorten: (ms: number) => void;
}

/**
 * Wakes all workers and listeners of one store, which share one connection that is told of new jobs and events. Only what
 * somebody waits for is listened to: a process that adds jobs and nothing else needs none.
 */
export class SqlWakeups {
  readonly #waits = { jobs: new Map<string, Set<Wait>>(), events: new Map<string, Set<Wait>>() };
  readonly #listening = new Map<Kind, Promise<() => Promise<void>>>();
  #closed = false;

  constructor(private readonly pool: Pick<QueuePool, 'listen'>) {}

  /** Listens, now that the database is said to be there. Rejects when it is not. */
  async start(): Promise<void> {
    const wanted = (Object.keys(CHANNELS) as Kind[]).filter((kind) => this.#waits[kind].size > 0);
    await Promise.all(wanted.map((kind) => this.#listen(kind)));
  }

  wait(kind: Kind, queue: string, ms: number): Wait {
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
    this.#listen(kind).catch(() => undefined); // asked again by the next wait, and at the next start
    return wait;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake('jobs', undefined);
    this.#wake('events', undefined);
    const ends = Promise.allSettled([...this.#listening.values()].map(async (listening) => (await listening)()));
    await within(CLOSE_WITHIN_MS, ends).catch(() => undefined); // a database that hangs: its pool breaks the connection off
  }

  #listen(kind: Kind): Promise<unknown> {
    if (this.#closed) return Promise.resolve();
    let listening = this.#listening.get(kind);
    if (listening === undefined) {
      listening = this.pool.listen(CHANNELS[kind], (queue) => this.#wake(kind, queue));
      this.#listening.set(kind, listening);
      listening.then(
        () => this.#wake(kind, undefined), // of what came before nobody was told
        () => this.#listening.delete(kind),
      );
    }
    return listening;
  }

  /** After a loss of the connection everybody looks for himself. */
  #wake(kind: Kind, queue: string | undefined): void {
    const sets = queue === undefined ? [...this.#waits[kind].values()] : [this.#waits[kind].get(queue) ?? []];
    for (const wait of sets.flatMap((set) => [...set])) wait.end();
  }
}
