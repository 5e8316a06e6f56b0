import {
  getDefaultBackendFactory,
  setDefaultBackendFactory,
  type BackendFactory,
  type ConnectionOptions,
} from 'bullmq';
import type { QueueStore } from './queue.store.js';

const STORE = Symbol('roost:queue-store');
const CHOOSES = Symbol('roost:chooses-store');

/** What a Queue, Worker, QueueEvents or FlowProducer of BullMQ is opened with, to run on one of our stores. */
export interface Lend {
  readonly connection: ConnectionOptions;
  readonly prefix: string;
}

/** A connection that names a store. BullMQ hands it on to the backend factory, and looks at nothing else of it. */
export function lend(store: QueueStore, prefix: string): Lend {
  const connection = { [STORE]: store } as unknown as ConnectionOptions;
  return { connection, prefix };
}

/**
 * Makes BullMQ choose the backend by the connection that it is given: `@nestjs/bullmq` offers no other way that its
 * QueueEvents follow. The choice is the process's and keeps nothing; connections that are not ours go where they went.
 */
export function chooseByConnection(): void {
  const before = getDefaultBackendFactory() as BackendFactory & { [CHOOSES]?: true };
  if (before[CHOOSES]) return;
  const choose: BackendFactory = (name, opts, flags) => {
    const store = (opts.connection as { [STORE]?: QueueStore } | undefined)?.[STORE];
    return store === undefined ? before(name, opts, flags) : store.backendFor(name, opts, flags);
  };
  setDefaultBackendFactory(Object.assign(choose, { [CHOOSES]: true }));
}
