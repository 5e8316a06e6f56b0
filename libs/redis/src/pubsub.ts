import type { LoggerService } from '@nestjs/common';
import type { Backend, BackendName } from './backend.js';
import { Key } from './key.js';
import type { Lane } from './lane.js';
import { RedisUnavailableError } from './redis.errors.js';

/** How long a subscription may take to stand before its caller goes on with a gap. */
const PATIENCE_MS = 1_000;

export type MessageHandler = (message: string, channel: string) => void;

/** Messages may be missed from `since` on (`lost`), or were possibly missed between `since` and now (`restored`). */
export interface PubSubGap {
  readonly phase: 'lost' | 'restored';
  readonly since: Date;
}

/**
 * Messages to every process that listens now: at most once, never stored. What a plain Redis subscription hides is said
 * here: `onGap` tells when messages may have been missed.
 */
export class PubSub {
  readonly #channels = new Map<string, { readonly handlers: Set<MessageHandler>; readonly listening: Promise<void> }>();
  readonly #gapListeners = new Set<(gap: PubSubGap) => void>();
  readonly #onListening = new Set<() => void>();
  #lostSince: Date | undefined;
  #lane: Lane | undefined;
  #closed = false;

  constructor(
    private readonly backend: Backend,
    private readonly prefix: string,
    /** The subscriber's connection, opened at the first subscription; none without a Redis. */
    private readonly openLane: ((events: { ready(): void; lost(): void }) => Lane) | undefined,
    private readonly logger: LoggerService,
  ) {}

  /**
   * Tells all listeners. Resolves to `memory` when Redis was not there: then only this process' own listeners heard it.
   * @throws RedisUnavailableError with `outcomeUnknown` when nobody can say who heard it.
   */
  async publish(channel: string, message: string): Promise<BackendName> {
    if (this.backend.choose('read', channel) === 'redis') {
      try {
        // No slot: Redis Cluster sends a PUBLISH to every node.
        await this.backend.commands.read('PUBLISH', new Key(nameOf(channel), ''), message);
        return 'redis';
      } catch (error) {
        // When others may have heard it, and this process with them, saying it again here would make it twice.
        if (!(error instanceof RedisUnavailableError) || error.outcomeUnknown) throw error;
      }
    }
    this.#deliver(channel, message);
    return 'memory';
  }

  /** Calls the handler for each message, resubscribed after every reconnect, until the returned function is called. */
  async subscribe(channel: string, handler: MessageHandler): Promise<() => void> {
    let entry = this.#channels.get(channel);
    if (entry === undefined) {
      // Known before it is subscribed, so that a reconnect in between subscribes it, too.
      let listen!: (listening: Promise<void>) => void;
      entry = { handlers: new Set(), listening: new Promise((resolve) => (listen = resolve)) };
      this.#channels.set(channel, entry);
      listen(this.#listen(channel));
    }
    const { handlers, listening } = entry;
    handlers.add(handler);
    await listening;
    return () => {
      if (!handlers.delete(handler) || handlers.size > 0) return;
      this.#channels.delete(channel);
      if (this.#lane?.ready) this.#lane.client.unsubscribe(this.wire(channel)).catch(this.#report);
    };
  }

  /**
   * Tells when messages may have been missed: once when the connection is lost or a subscription refused, and once when
   * all is listened to again. Who comes during a gap is told of it at once.
   */
  onGap(listener: (gap: PubSubGap) => void): () => void {
    this.#gapListeners.add(listener);
    const since = this.#lostSince;
    if (since) this.#safely(() => listener({ phase: 'lost', since }));
    return () => this.#gapListeners.delete(listener);
  }

  /** The channel's name in Redis, for scripts that publish. */
  wire(channel: string): string {
    return `${this.prefix}:${nameOf(channel)}`;
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    await this.#lane?.close(deadlineMs);
  }

  /** Resolves once the server listens for the channel, or when it cannot be told to in time: then there is a gap. */
  async #listen(channel: string): Promise<void> {
    if (this.openLane === undefined || this.#closed) return;
    if (this.#lane === undefined) this.#lane = this.#open(this.openLane);
    if (this.#lane.ready) return void (await this.#subscribe([channel]));
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onListening.add(resolve);
      timer = setTimeout(() => {
        this.#lose();
        resolve();
      }, PATIENCE_MS).unref();
    });
    clearTimeout(timer);
  }

  #open(openLane: NonNullable<typeof this.openLane>): Lane {
    const lane = openLane({ ready: () => void this.#restore(), lost: () => this.#lose() });
    lane.client.on('message', (wire: string, message: string) =>
      this.#deliver(wire.slice(this.wire('').length), message),
    );
    lane.open();
    return lane;
  }

  /** Resolves to whether the server listens. */
  async #subscribe(channels: readonly string[]): Promise<boolean> {
    const lane = this.#lane!;
    const timer = setTimeout(() => lane.reset(), PATIENCE_MS).unref();
    try {
      await lane.client.subscribe(...channels.map((each) => this.wire(each)));
      return true;
    } catch (error) {
      this.#report(error); // lost while subscribing, or refused: all channels are subscribed again at the next `ready`
      this.#lose();
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  async #restore(): Promise<void> {
    if (this.#channels.size > 0 && !(await this.#subscribe([...this.#channels.keys()]))) return;
    if (!this.#lane?.ready) return;
    for (const listening of this.#onListening) listening();
    this.#onListening.clear();
    const since = this.#lostSince;
    this.#lostSince = undefined;
    if (since) this.#tell({ phase: 'restored', since });
  }

  #lose(): void {
    if (this.#lostSince !== undefined || this.#channels.size === 0) return;
    this.#lostSince = new Date();
    this.#tell({ phase: 'lost', since: this.#lostSince });
  }

  #tell(gap: PubSubGap): void {
    for (const listener of this.#gapListeners) this.#safely(() => listener(gap));
  }

  #deliver(channel: string, message: string): void {
    for (const handler of this.#channels.get(channel)?.handlers ?? []) this.#safely(() => handler(message, channel));
  }

  #safely(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#report(error);
    }
  }

  readonly #report = (error: unknown): void => {
    this.logger.warn(`Pub/sub: ${(error as Error).message}`, { event: 'redis.pubsub' });
  };
}

function nameOf(channel: string): string {
  return `channel:${channel}`;
}
