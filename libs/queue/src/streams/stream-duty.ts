import type { RedisConnection } from '@roost/redis';
import { repeat } from './repeat.js';
import type { ResolvedStreamConsumer } from './stream-consumer.options.js';
import { StreamDesk } from './stream-desk.js';
import { StreamGroup } from './stream-group.js';
import type { Delivery } from './stream-message.js';
import type { StreamNotes } from './stream-notes.js';
import { StreamReader } from './stream-reader.js';
import { StreamSource } from './stream-source.js';

const LOOK_MS = 5_000;
/** How many pages of what never arrived are given back at the end. */
const PAGES = 10;
const PAGE = 200;

/** How one consumer of this process is. */
export interface StreamReport {
  readonly stream: string;
  readonly group: string;
  readonly reading: boolean;
  /** Messages that handlers have now. */
  readonly running: number;
  /** Messages of this process that no handler has now. */
  readonly waiting: number;
  /** Messages of the group that nobody was given yet; undefined when it is not known. */
  readonly lag: number | undefined;
  /** Messages of the group that were given to somebody and not acknowledged. */
  readonly pending: number | undefined;
  readonly deadLetters: number | undefined;
  readonly lastError: { readonly message: string; readonly at: string } | undefined;
}

/** One method that reads one stream, with all that it takes. */
export class StreamDuty {
  readonly #group: StreamGroup;
  readonly #source: StreamSource;
  readonly #desk: StreamDesk;
  readonly #reader: StreamReader;
  #stops: readonly (() => void)[] = [];

  constructor(
    connection: RedisConnection,
    private readonly options: ResolvedStreamConsumer,
    private readonly consumer: string,
    handle: (delivery: Delivery) => Promise<unknown>,
    private readonly notes: StreamNotes,
  ) {
    this.#group = new StreamGroup(connection.backend.commands, options, consumer);
    this.#source = new StreamSource(connection, options, consumer, (error) => notes.fault(error));
    this.#desk = new StreamDesk(options, this.#group, handle, notes);
    this.#reader = new StreamReader(options, this.#source, this.#group, this.#desk, notes, () => void this.#look());
  }

  start(): void {
    this.#reader.start();
    this.#stops = [
      repeat(
        () => this.#desk.keep(),
        this.options.minIdleMs / 3,
        (error) => this.notes.fault(error),
      ),
      repeat(
        () => this.#look(),
        LOOK_MS,
        (error) => this.notes.fault(error),
      ),
    ];
  }

  /** Resolves a little after the deadline at the latest. */
  async stop(deadlineMs: number): Promise<void> {
    const closing = this.#desk.close(deadlineMs);
    await this.#reader.stop();
    await closing;
    for (const stop of this.#stops) stop();
    try {
      await this.#giveBack();
      await this.#group.leave(this.consumer, Number.MAX_SAFE_INTEGER);
    } catch (error) {
      this.notes.fault(error); // others take over what is left, after `minIdle`
    }
  }

  report(): StreamReport {
    const { stream, group } = this.options;
    const { reading, lastError, state } = this.notes;
    return {
      stream,
      group,
      reading,
      running: this.#desk.running,
      waiting: this.#desk.waiting,
      lag: state?.lag,
      pending: state?.pending,
      deadLetters: state?.deadLetters,
      lastError,
    };
  }

  async #look(): Promise<void> {
    this.notes.seen(await this.#group.look(), this.options.remove);
  }

  /** Lets others have what Redis gave this consumer and what never arrived. */
  async #giveBack(): Promise<void> {
    let after = '0-0';
    for (let page = 0; page < PAGES && after !== ''; page++) {
      const { cursor, entries } = await this.#group.backlog(after, PAGE);
      after = cursor;
      const unseen = entries.filter(({ id }) => !this.#desk.has(id));
      if (unseen.length > 0) await this.#group.release(unseen);
    }
  }
}
