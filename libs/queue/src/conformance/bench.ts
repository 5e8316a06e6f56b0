import {
  createRedisBackend,
  FlowProducer,
  Queue,
  QueueEvents,
  Worker,
  type BackendFactory,
  type ConnectionOptions,
  type Job,
  type Processor,
  type QueueOptions,
  type WorkerOptions,
} from 'bullmq';
import type { QueueStore } from '../stores/queue.store.js';

/** Something that BullMQ's classes do, told in plain JSON without times and random ids. */
export type Behaviour = (bench: Bench) => Promise<unknown>;

/** Where a behaviour happens: each has queues of its own. */
export type OpenBench = (scope: string) => Bench;

/** Benches on one of our stores. */
export function openBench(store: QueueStore): OpenBench {
  return (scope) => new Bench(scope, {} as ConnectionOptions, (...args) => store.backendFor(...args));
}

/** Benches on BullMQ as it comes, with Redis at a URL. */
export function openBaseline(url: string): OpenBench {
  const { hostname, port } = new URL(url);
  return (scope) => new Bench(scope, { host: hostname, port: Number(port) }, createRedisBackend);
}

/** BullMQ's classes over one backend. */
export class Bench {
  /** What workers have told as errors. */
  readonly errors: string[] = [];
  readonly #opened: { close(): Promise<unknown> }[] = [];
  readonly #factory: typeof createRedisBackend;

  constructor(
    private readonly scope: string,
    private readonly connection: ConnectionOptions,
    factory: BackendFactory,
  ) {
    this.#factory = factory as typeof createRedisBackend;
  }

  queue(name = 'q', options: Partial<QueueOptions> = {}): Queue {
    const queue = new Queue(this.nameOf(name), { ...options, connection: this.connection }, this.#factory);
    return this.#keep(queue);
  }

  worker(run: Processor | null, options: Partial<WorkerOptions> & { on?: string } = {}): Worker {
    const { on = 'q', ...rest } = options;
    const worker = new Worker(this.nameOf(on), run, { ...rest, connection: this.connection }, this.#factory);
    worker.on('error', (error) => this.errors.push(error.message));
    return this.#keep(worker);
  }

  /** Hears all that happened from the beginning. */
  events(name = 'q'): QueueEvents {
    const options = { connection: this.connection, lastEventId: '0', blockingTimeout: 250 };
    return this.#keep(new QueueEvents(this.nameOf(name), options, this.#factory));
  }

  flows(): FlowProducer {
    return this.#keep(new FlowProducer({ connection: this.connection }, this.#factory));
  }

  /** A name that a queue of this bench has in flows. */
  nameOf(name: string): string {
    return `${name}-${this.scope}`;
  }

  /** Waits until so many jobs of a queue have ended. */
  async ended(queue: Queue, count: number): Promise<void> {
    await until(async () => (await queue.getJobCountByTypes('completed', 'failed')) >= count);
  }

  async close(): Promise<void> {
    for (const opened of this.#opened.toReversed()) await opened.close();
  }

  #keep<T extends { close(): Promise<unknown> } & NodeJS.EventEmitter>(opened: T): T {
    opened.on('error', () => undefined);
    this.#opened.push(opened);
    return opened;
  }
}

/** Waits until it is true, or fails after five seconds. */
export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error('It did not come about within 5 s');
    await sleep(5);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What a job is like, without its times. */
export async function look(queue: Queue, id: string | undefined): Promise<unknown> {
  const job = (await queue.getJob(id!)) as Job | undefined;
  if (!job) return { id, state: await queue.getJobState(id!) };
  const { name, data, attemptsMade, attemptsStarted, stalledCounter, failedReason, returnvalue } = job;
  const { delay, priority, progress, finishedOn, processedOn, parentKey, parent, deduplicationId } = job;
  const attempts = { attemptsMade, attemptsStarted, stalledCounter, failedReason, returnvalue };
  const times = { delay, priority, finished: Boolean(finishedOn), processed: Boolean(processedOn) };
  const ties = { parentKey, parent: parent && { id: parent.id, queueKey: parent.queueKey }, deduplicationId };
  return { id, name, data, progress, ...attempts, ...times, ...ties, state: await job.getState() };
}

/** The message of what a call fails with. */
export async function failure(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'no error';
  } catch (error) {
    return (error as Error).message;
  }
}

/** An outcome as it can be compared: without what is random, and without the prefix that only some backends have. */
export function tidy(outcome: unknown): unknown {
  const uuids = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
  return JSON.parse(JSON.stringify(outcome).replaceAll('bull:', '').replaceAll(uuids, 'uuid')) as unknown;
}
