import { outsideRequests } from '@roost/redis';
import { backOffMs, jittered } from './repeat.js';
import type { ResolvedStreamConsumer } from './stream-consumer.options.js';
import type { StreamDesk } from './stream-desk.js';
import { isGroupGone, type StreamGroup } from './stream-group.js';
import type { StreamNotes } from './stream-notes.js';
import type { StreamSource } from './stream-source.js';
import type { PendingPage } from './lua/pending.fragment.js';

const BLOCK_MS = 5_000;
const LONGEST_PAUSE_MS = 1_000;
/** Before all messages. */
const BEGINNING = '0-0';
/** A consumer that has nothing and was silent for so long is gone. */
const GONE_MS = 3_600_000;

/**
 * Brings messages to the desk as it has room: first what this consumer was given without its having arrived, then what
 * others left lying, then what is new. Whatever goes wrong, it begins again, and loses nothing: what did not arrive is
 * still pending.
 */
export class StreamReader {
  #running: Promise<void> | undefined;
  #stopped = false;
  #joined = false;
  #from: '0' | '$';
  /** Where in the own backlog to go on; undefined when all of it has arrived. */
  #backlog: string | undefined = BEGINNING;
  #claimCursor = BEGINNING;
  /** When to look again for what others left lying, in monotonic ms. */
  #claimAt = 0;
  #failures = 0;
  #wake: (() => void) | undefined;

  constructor(
    private readonly options: ResolvedStreamConsumer,
    private readonly source: StreamSource,
    private readonly group: StreamGroup,
    private readonly desk: StreamDesk,
    private readonly notes: StreamNotes,
    /** There is a group to be looked at. */
    private readonly joined: () => void,
  ) {
    this.#from = options.from;
  }

  start(): void {
    this.#running ??= outsideRequests(() => this.#run());
  }

  /** Reads nothing more. Resolves once nothing more comes, which needs a desk that takes nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.source.close();
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const count = await this.desk.room();
      if (count === 0) return;
      try {
        await this.source.open();
        if (!this.#joined) await this.#join();
        await this.#bring(count);
        this.#failures = 0;
        this.notes.serving();
      } catch (error) {
        if (!this.#stopped) await this.#recover(error);
      }
    }
  }

  async #join(): Promise<void> {
    await this.group.create(this.#from);
    this.#joined = true;
    this.joined();
    this.#from = '0'; // a group that has to be made again must not miss what came before
  }

  async #bring(count: number): Promise<void> {
    if (this.#backlog !== undefined) return this.#bringBacklog(this.#backlog, count);
    const untilClaimMs = this.#claimAt - performance.now();
    if (untilClaimMs <= 0) return this.#bringLeftovers(count);
    const blockMs = Math.ceil(Math.min(BLOCK_MS, untilClaimMs));
    this.desk.take(await this.source.read(count, blockMs));
  }

  async #bringBacklog(after: string, count: number): Promise<void> {
    const page = await this.group.backlog(after, count);
    this.#takeAgain(page);
    this.#backlog = page.cursor === '' ? undefined : page.cursor;
  }

  async #bringLeftovers(count: number): Promise<void> {
    const page = await this.group.reclaim(this.#claimCursor, count);
    this.#takeAgain(page);
    this.#claimCursor = page.cursor;
    if (page.cursor !== BEGINNING) return;
    this.#claimAt = performance.now() + jittered(this.options.minIdleMs / 2);
    await this.group.leave('', Math.max(GONE_MS, 10 * this.options.minIdleMs));
  }

  #takeAgain({ entries, vanished }: PendingPage): void {
    this.notes.count('vanished', vanished);
    this.desk.takeAgain(entries);
  }

  async #recover(error: unknown): Promise<void> {
    this.#backlog = BEGINNING; // messages may have been on their way
    this.#failures++;
    if (isGroupGone(error)) {
      if (this.#joined) {
        this.desk.orphan();
        this.notes.groupGone();
      }
      this.#joined = false;
      if (this.#failures === 1) return;
    }
    this.notes.trouble(error);
    await this.#pause(backOffMs(this.#failures, 50, LONGEST_PAUSE_MS));
  }

  async #pause(ms: number): Promise<void> {
    if (this.#stopped) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, ms).unref();
    });
    clearTimeout(timer);
  }
}
