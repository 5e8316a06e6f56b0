import { EventEmitter } from 'node:events';
import { QueueKeys, type StreamReadRaw } from 'bullmq';
import { QueueClosedError } from '../queue.errors.js';
import type { MemoryQueue } from './memory-queue.js';
import type { MemoryQueues } from './memory-queues.js';
import { nextTakeAt } from './taking.js';
import { Waits } from './waits.js';
import type { MemoryBackendOptions } from './worker.settings.js';

export interface MemoryBackendParts {
  readonly queues: MemoryQueues;
  readonly name: string;
  readonly options: MemoryBackendOptions;
  /** Whether a Worker takes jobs with it. */
  readonly forWorker?: boolean;
}

type Listener = (...args: unknown[]) => void;

/** What a backend is: its names, its life, and the waits of who has nothing to do. */
export abstract class MemoryBackend {
  readonly minimumBlockTimeout = 0.001;
  readonly qualifiedName: string;
  readonly keys: Record<string, string>;
  protected readonly queues: MemoryQueues;
  protected readonly name: string;
  protected readonly options: MemoryBackendOptions;
  protected readonly waits = new Waits();
  readonly #emitter = new EventEmitter();
  readonly #prefix: string;
  readonly #eventsBefore: string;
  readonly #queue: MemoryQueue;
  #owner: MemoryBackend | undefined;
  #closed: Promise<void> | undefined;
  #interrupted = false;

  constructor({ queues, name, options, forWorker = false }: MemoryBackendParts, owner?: MemoryBackend) {
    this.queues = queues;
    this.name = name;
    this.options = options;
    this.#owner = owner;
    this.#prefix = options.prefix ?? 'bull';
    this.qualifiedName = `${this.#prefix}:${name}`;
    this.keys = new QueueKeys(this.#prefix).getKeys(name);
    this.#queue = queues.at(this.qualifiedName);
    this.#eventsBefore = this.#queue.events.lastId;
    if (forWorker) queues.clients.set(this, this.clientName(options.name ? `:w:${options.name}` : ''));
  }

  get closing(): Promise<void> | undefined {
    return this.#owner ? this.#owner.closing : (this.#closed ?? (this.queues.closed ? Promise.resolve() : undefined));
  }

  async waitUntilReady(): Promise<void> {}

  async close(): Promise<void> {
    if (this.#owner) return;
    this.#closed ??= Promise.resolve();
    this.queues.clients.delete(this);
    this.waits.interrupt();
  }

  async disconnect(): Promise<void> {
    this.waits.interrupt();
  }

  async disconnectBlocking(): Promise<void> {
    this.#interrupted = true;
    this.waits.interrupt();
  }

  async reconnectBlocking(): Promise<void> {
    this.#interrupted = false;
  }

  async setName(name: string): Promise<void> {
    this.queues.clients.set(this, name);
  }

  /** In the form of Redis' CLIENT LIST, without what only a connection has. */
  async getClientList(): Promise<string[]> {
    return [[...this.queues.clients.values()].map((name, i) => `id=${i + 1} name=${name}`).join('\n')];
  }

  clientName(suffix = ''): string {
    return `${this.#prefix}:${Buffer.from(this.name).toString('base64')}${suffix}`;
  }

  toKey(type: string): string {
    return `${this.qualifiedName}:${type}`;
  }

  parseNodeKey(key: string): { prefix: string; queueName: string; id: string } {
    const found = this.queues.locate(key);
    if (!found) return { prefix: '', queueName: '', id: key };
    const { queue, id } = found;
    const end = queue.key.lastIndexOf(':');
    return { prefix: queue.key.slice(0, end), queueName: queue.key.slice(end + 1), id };
  }

  /** Waits until there may be a job to take. Whatever the time-out: nothing is missed that would have to be polled for. */
  async waitForJob(): Promise<{ member: string; score: number } | null> {
    const { options } = this;
    const due = await this.blocked<true>((wake) =>
      this.#queue.waiters.add({ dueAt: () => nextTakeAt(this.#queue, options), wake: () => wake(true) }),
    );
    // The Worker looks for a job when the score is past, and never at infinity.
    return { member: '0', score: due ? 0 : Infinity };
  }

  /** Waits for events after an id; `$` is where the queue was when the listener was made, so that it misses none. */
  async readEvents(id: string): Promise<StreamReadRaw> {
    const { events } = this.#queue;
    const after = id === '$' ? this.#eventsBefore : id;
    if (events.after(after).length === 0) await this.blocked<void>((wake) => events.onAppend(wake));
    const found = this.closing ? [] : events.after(after);
    return found.length > 0 ? [[this.toKey('events'), found]] : null;
  }

  on(event: string, listener: Listener): this {
    this.#emitter.on(event, listener);
    return this;
  }

  once(event: string, listener: Listener): this {
    this.#emitter.once(event, listener);
    return this;
  }

  removeListener(event: string, listener: Listener): this {
    this.#emitter.removeListener(event, listener);
    return this;
  }

  /** @throws QueueClosedError */
  protected get queue(): MemoryQueue {
    if (this.closing) throw new QueueClosedError(this.name);
    return this.#queue;
  }

  /** A wait that would otherwise be polled without a pause by who does not know yet that the store is gone. */
  protected async blocked<T>(begin: (done: (value: T) => void) => () => void): Promise<T | undefined> {
    if (this.#interrupted || this.#closed) return undefined;
    return this.waits.until(this.queues.closed ? () => () => undefined : begin);
  }
}
