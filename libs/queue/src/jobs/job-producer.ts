import type { Job, Queue } from 'bullmq';
import { QueueClosedError, QueueUnavailableError, RefusedByStoreError } from '../queue.errors.js';
import type { QueueMetrics } from '../queue.metrics.js';
import type { QueueStore } from '../stores/queue.store.js';
import { isOutage, within } from './deadline.js';
import type { JobDraft } from './job-draft.js';

/** Where jobs wait that the store cannot take; absent when there is no database. */
export interface Waiting {
  insert(drafts: readonly JobDraft[]): Promise<void>;
}

/** Where jobs went: to the store, with the ids that they have there, or to wait for it. */
export type Placed = { readonly in: 'store'; readonly ids: readonly string[] } | { readonly in: 'outbox' };

/** What share of the time the store gets when jobs can wait elsewhere. */
const SHARE_OF_STORE = 0.6;

/** Adds checked jobs to one queue, within a deadline, whatever state the store is in. */
export class JobProducer {
  #closed = false;

  constructor(
    readonly queue: Queue,
    private readonly store: QueueStore,
    private readonly waiting: () => Waiting | undefined,
    private readonly withinMs: number,
    private readonly metrics: QueueMetrics,
  ) {}

  /**
   * Adds all of them, or none that anybody knows of.
   * @throws QueueUnavailableError, QueueClosedError
   */
  async add(drafts: readonly JobDraft[]): Promise<Placed> {
    if (this.#closed) throw new QueueClosedError(this.queue.name);
    try {
      const placed = await this.#place(drafts);
      this.metrics.added(this.queue.name, placed.in, drafts.length);
      return placed;
    } catch (error) {
      const outcome = error instanceof RefusedByStoreError ? 'refused' : 'unavailable';
      this.metrics.added(this.queue.name, outcome, drafts.length);
      throw error;
    }
  }

  /** From now on nobody adds jobs here. */
  close(): void {
    this.#closed = true;
  }

  async #place(drafts: readonly JobDraft[]): Promise<Placed> {
    const until = performance.now() + this.withinMs;
    const outbox = this.waiting();
    const ids = await this.#toStore(drafts, outbox === undefined ? this.withinMs : this.withinMs * SHARE_OF_STORE);
    if (!(ids instanceof QueueUnavailableError)) return { in: 'store', ids };
    if (outbox === undefined) throw ids;
    try {
      await within(Math.max(until - performance.now(), 1), outbox.insert(drafts));
      return { in: 'outbox' };
    } catch (error) {
      const why = `${ids.message} Nor can its outbox: ${(error as Error).message}`;
      throw new QueueUnavailableError(this.queue.name, why, true, { cause: error });
    }
  }

  /** The ids that they have in the store, or why it did not take them. */
  async #toStore(drafts: readonly JobDraft[], withinMs: number): Promise<readonly string[] | QueueUnavailableError> {
    const trouble = troubleOf(this.store);
    // Nothing is sent to a store that is known to be lost: it would arrive after its caller has given up.
    if (trouble !== undefined) return new QueueUnavailableError(this.queue.name, trouble, false);
    try {
      const jobs = await within(withinMs, this.#send(drafts));
      return jobs.map(({ id }) => id!);
    } catch (error) {
      if (error instanceof QueueClosedError) throw error;
      const { message } = error as Error;
      if (isOutage(error)) {
        return new QueueUnavailableError(this.queue.name, message, true, { cause: error });
      }
      throw new RefusedByStoreError(this.queue.name, message, { cause: error });
    }
  }

  async #send(drafts: readonly JobDraft[]): Promise<readonly Job[]> {
    const [only] = drafts;
    if (drafts.length === 1) return [await this.queue.add(only!.name, only!.data, only!.options)];
    return this.queue.addBulk(drafts.map(({ name, data, options: opts }) => ({ name, data, opts })));
  }
}

/** Why a store need not be asked. One that is connecting for the first time is waited for, as long as the deadline allows. */
export function troubleOf({ trouble }: QueueStore): string | undefined {
  return trouble === 'connecting' ? undefined : trouble;
}
