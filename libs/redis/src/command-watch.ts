import type { Redis } from 'ioredis';
import { internalsOf } from './client-internals.js';

const LOOK_EVERY_MS = 100;

/**
 * Gives up what a server does not answer, and the socket with it: by one timer for a client, not one for each command.
 * Looks are counted, not time, so that a stall of this process gives up nothing.
 */
export class CommandWatch {
  readonly #looks: number;
  #timer: NodeJS.Timeout | undefined;
  #oldest: unknown;
  #seen = 0;

  /**
   * @param withinMs how long the oldest command may wait; it is given up at most a tenth of a second before.
   * @param queuedToo whether a command is given up as well that waits for a connection.
   */
  constructor(
    private readonly client: Redis,
    withinMs: number,
    private readonly queuedToo: boolean,
  ) {
    this.#looks = withinMs / LOOK_EVERY_MS - 1;
  }

  /** Call before each command. */
  begin(): void {
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  #look(): void {
    const internals = internalsOf(this.client);
    const oldest =
      internals.commandQueue.peekFront() ?? (this.queuedToo ? internals.offlineQueue.peekFront() : undefined);
    this.#seen = oldest === this.#oldest ? this.#seen + 1 : 0;
    this.#oldest = oldest;
    if (oldest === undefined) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else if (this.#seen >= this.#looks) {
      internals.flushQueue(new Error('Command timed out'), { offlineQueue: this.queuedToo });
      internals.stream?.destroy();
    }
  }
}
