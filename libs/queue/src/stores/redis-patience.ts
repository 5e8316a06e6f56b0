import type { LentClient } from './redis-lent.client.js';

/** How long commands of a worker that is being closed go on waiting for a Redis that is lost. */
const GRACE_MS = 300;

/**
 * How the commands of one worker wait for a lost Redis: as long as it takes, until the worker is to stop. The client's own
 * queue would keep them, and run them for a worker that is long gone.
 */
export class Patience {
  readonly #waiting = new Set<() => void>();
  #stopped = false;

  constructor(private readonly lent: LentClient) {}

  /** Resolves when the client can take commands. Rejects with what BullMQ takes for a lost connection. */
  async wait(): Promise<void> {
    const { client } = this.lent;
    await new Promise<void>((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const settle = () => {
        clearTimeout(timer);
        this.#waiting.delete(stop);
        client.off('ready', settle);
        client.off('end', settle);
        if (this.lent.ready) resolve();
        else reject(new Error('Connection is closed.'));
      };
      const stop = () => (timer ??= setTimeout(settle, GRACE_MS));
      client.setMaxListeners(Infinity); // one for each command that waits; from 0 BullMQ would count down below it
      client.once('ready', settle);
      client.once('end', settle);
      this.#waiting.add(stop);
      if (this.#stopped) stop();
      if (client.status === 'end') settle();
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const stop of this.#waiting) stop();
  }

  resume(): void {
    this.#stopped = false;
  }
}
