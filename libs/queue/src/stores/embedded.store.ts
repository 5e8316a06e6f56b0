import type { StoreFinding } from './queue.store.js';
import { SqlQueueStore } from './sql.store.js';

/** Jobs in a Postgres inside this process, which therefore has them alone. */
export class EmbeddedQueueStore extends SqlQueueStore {
  readonly name = 'embedded';
  /** It is there as soon as it has started, which the first time takes seconds. */
  protected readonly openWithinMs = 60_000;

  audit(): Promise<readonly StoreFinding[]> {
    return Promise.resolve([]);
  }

  protected prepare(): Promise<void> {
    return Promise.resolve();
  }
}
