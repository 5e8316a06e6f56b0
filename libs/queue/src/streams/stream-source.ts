import { outsideRequests, type RedisConnection } from '@roost/redis';
import type { ResolvedStreamConsumer } from './stream-consumer.options.js';
import type { RawEntry } from './stream-message.js';

type BlockingClient = ReturnType<RedisConnection['blockingClient']>;

/** How long a lost connection is left alone before the next try, at most. */
const LONGEST_PAUSE_MS = 1_000;
/** The client answers for a server that says nothing, a tenth of a second after the time: that is no answer. */
const SILENCE_MS = 80;

/** Reads what is new, on a connection of its own. Whoever it rejects may have been given messages that did not arrive. */
export class StreamSource {
  readonly #client: BlockingClient;
  #giveUp: ((reason: Error) => void) | undefined;
  #closed = false;

  constructor(
    connection: Pick<RedisConnection, 'blockingClient'>,
    private readonly options: Pick<ResolvedStreamConsumer, 'stream' | 'group'>,
    private readonly consumer: string,
    private readonly onError: (error: Error) => void,
  ) {
    this.#client = connection.blockingClient();
    this.#client.on('error', onError);
    const { retryStrategy } = this.#client.options;
    this.#client.options.retryStrategy = (attempt) => {
      const pauseMs = retryStrategy?.(attempt);
      return typeof pauseMs === 'number' ? Math.min(pauseMs, LONGEST_PAUSE_MS) : pauseMs;
    };
  }

  /** Waits until there is a connection. */
  open(): Promise<void> {
    if (this.#client.status === 'ready') return Promise.resolve();
    return this.#orGivenUp(
      (resolve) => {
        this.#client.once('ready', resolve);
        if (this.#client.status !== 'wait') return;
        outsideRequests(() => this.#client.connect()).catch(this.onError); // it goes on trying by itself
      },
      (resolve) => void this.#client.off('ready', resolve),
    );
  }

  /** Up to so many messages that nobody was given yet; none when there are none within the time. */
  async read(count: number, blockMs: number): Promise<readonly RawEntry[]> {
    const { group, stream } = this.options;
    const startedAt = performance.now();
    const reply = await this.#orGivenUp<[string, RawEntry[]][] | null>((resolve, reject) => {
      this.#client
        .xreadgroup('GROUP', group, this.consumer, 'COUNT', count, 'BLOCK', blockMs, 'STREAMS', stream, '>')
        .then((entries) => resolve(entries as [string, RawEntry[]][] | null), reject);
    });
    if (reply !== null) return reply[0]?.[1] ?? [];
    if (performance.now() - startedAt < blockMs + SILENCE_MS) return [];
    this.#client.disconnect(true);
    throw new Error(`Redis did not answer within ${blockMs} ms`);
  }

  /** Ends whatever waits. */
  close(): void {
    this.#closed = true;
    this.#client.disconnect();
    this.#giveUp?.(new Error('The stream is not read any more.'));
  }

  /** A client between two connections would not reject what waits for the next one when it is closed. */
  async #orGivenUp<T>(
    begin: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
    end?: (resolve: (value: T) => void) => void,
  ): Promise<T> {
    if (this.#closed) throw new Error('The stream is not read any more.');
    let done!: (value: T) => void;
    try {
      return await new Promise<T>((resolve, reject) => {
        done = resolve;
        this.#giveUp = reject;
        begin(resolve, reject);
      });
    } finally {
      this.#giveUp = undefined;
      end?.(done);
    }
  }
}
