import { setTimeout as delay } from 'node:timers/promises';
import type { StreamGroup } from './stream-group.js';

/** So many at a time: a script takes no more than 8000 arguments, and nobody else is served meanwhile. */
const AT_ONCE = 1_000;
const PAUSE_MS = 200;

/**
 * Acknowledges what was handled: what ends in one turn of the event loop, and while an earlier command is under way, goes
 * in one. What cannot be said now is said when Redis is back.
 */
export class StreamAcks {
  #ids: string[] = [];
  #sending: Promise<void> | undefined;
  #gathering = false;
  #closing = false;

  constructor(
    private readonly group: Pick<StreamGroup, 'finish'>,
    private readonly finished: (ids: readonly string[]) => void,
    private readonly onError: (error: unknown) => void,
  ) {}

  add(id: string): void {
    this.#ids.push(id);
    if (this.#gathering || this.#sending) return;
    this.#gathering = true;
    setImmediate(() => {
      this.#gathering = false;
      void this.#begin();
    });
  }

  /** Says what is left to be said; from now on it is tried once. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#begin();
  }

  #begin(): Promise<void> {
    return (this.#sending ??= this.#send().finally(() => (this.#sending = undefined)));
  }

  async #send(): Promise<void> {
    while (this.#ids.length > 0) {
      const ids = this.#ids.splice(0, AT_ONCE);
      try {
        await this.group.finish(ids);
        this.finished(ids);
      } catch (error) {
        this.onError(error);
        this.#ids = [...ids, ...this.#ids];
        if (this.#closing) return;
        await delay(PAUSE_MS, undefined, { ref: false });
      }
    }
  }
}
