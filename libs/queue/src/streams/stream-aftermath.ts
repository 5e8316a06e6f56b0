import { outsideRequests } from '@roost/redis';
import { JobHandedBackError } from '../queue.errors.js';
import { Refusal } from './attempt.js';
import type { HeldMessage } from './held-message.js';
import { backOffMs } from './repeat.js';
import type { ResolvedStreamConsumer } from './stream-consumer.options.js';
import type { StreamGroup } from './stream-group.js';
import { messageOf, type StreamNotes } from './stream-notes.js';

const LONGEST_BACKOFF_MS = 60_000;
/** How long until Redis is told again what it could not be told. */
const UNTOLD_MS = 500;

/** What becomes of messages that were not handled: another try, the dead letters, or somebody else's turn. */
export class StreamAftermath {
  readonly #delayed = new Set<HeldMessage>();
  readonly #underWay = new Set<Promise<void>>();
  #closing = false;

  constructor(
    private readonly options: ResolvedStreamConsumer,
    private readonly group: Pick<StreamGroup, 'bury' | 'release'>,
    private readonly notes: StreamNotes,
    /** It may be handed to a handler again. */
    private readonly again: (message: HeldMessage) => void,
    /** It is not this process' any more. */
    private readonly forget: (message: HeldMessage) => void,
  ) {}

  /** How many wait for another try. */
  get delayed(): number {
    return this.#delayed.size;
  }

  /** A handler did not handle it. */
  failed(message: HeldMessage, error: unknown): void {
    const { id, delivery, taken } = message;
    if (taken) return this.forget(message);
    if (error instanceof Refusal) return this.bury(message, 'refused', error.message);
    if (delivery?.reason instanceof JobHandedBackError) {
      message.deliveries--; // it was this process that ended, not the handler that failed
      return this.release([message]);
    }
    this.notes.failed(id, message.deliveries, error);
    // By its name: it is BullMQ's, or that of whoever has another copy of it.
    const final = error instanceof Error && error.name === 'UnrecoverableError';
    if (final || message.deliveries >= this.options.maxDeliveries) return this.bury(message, 'dead', messageOf(error));
    this.#later(message, backOffMs(message.deliveries, this.options.backoffMs, LONGEST_BACKOFF_MS), this.again);
  }

  /** Redis could not be told that it is about to be handled. */
  untold(message: HeldMessage): void {
    this.#later(message, UNTOLD_MS, this.again);
  }

  /** Makes it a dead letter, however long Redis cannot be told. */
  bury(message: HeldMessage, outcome: 'dead' | 'refused', reason: string): void {
    message.stage = 'finished';
    const { id, deliveries, lost, raw } = message;
    const moved = this.group.bury({ id, deliveries, reason, ...(lost && { lostFields: raw }) }).then(
      (buried) => {
        this.forget(message);
        if (buried) this.notes.buried(outcome, id, deliveries, reason);
        else this.notes.count('taken');
      },
      (error: unknown) => {
        this.notes.fault(error);
        this.#later(message, UNTOLD_MS, () => this.bury(message, outcome, reason));
      },
    );
    this.#follow(moved);
  }

  /** Lets others have them at once. When Redis cannot be told, they have them when this process has been silent long enough. */
  release(messages: readonly HeldMessage[]): void {
    for (const message of messages) {
      this.cancel(message);
      this.forget(message);
    }
    const known = messages.filter(({ lost }) => !lost);
    if (known.length > 0) this.#follow(this.group.release(known).catch((error) => this.notes.fault(error)));
  }

  /** It is not tried again. */
  cancel(message: HeldMessage): void {
    clearTimeout(message.timer);
    message.timer = undefined;
    this.#delayed.delete(message);
  }

  /** From now on nothing is tried again here: what fails is released. */
  retire(): void {
    this.#closing = true;
  }

  /** Resolves when Redis was told, or could not be told, all there was to tell. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #later(message: HeldMessage, ms: number, run: (message: HeldMessage) => void): void {
    if (this.#closing) return this.release([message]);
    message.stage = 'delayed';
    this.#delayed.add(message);
    message.timer = outsideRequests(() =>
      setTimeout(() => {
        this.cancel(message);
        run(message);
      }, ms).unref(),
    );
  }

  #follow(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }
}
