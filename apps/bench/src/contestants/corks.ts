import type { Redis } from 'ioredis';
import type { Writable } from 'node:stream';

/** What `libs/redis` asks of its cork. */
export interface Corker {
  hold(stream: Writable | undefined): void;
  flush(): void;
}

/** The cork of `libs/redis`, which ends a batch when it is told to, or after so many commands. */
export class CopiedCork implements Corker {
  #corked: Writable | undefined;
  #waiting = 0;
  readonly #uncork = () => this.flush();

  /** @param schedule `setImmediate` as shipped, or `process.nextTick` */
  constructor(
    private readonly schedule: (flush: () => void) => unknown,
    private readonly batch = 32,
  ) {}

  hold(stream: Writable | undefined): void {
    if (stream === undefined) return;
    if (this.#corked === stream) {
      if (++this.#waiting < this.batch) return;
      stream.uncork();
      stream.cork();
      this.#waiting = 1;
      return;
    }
    const alreadyScheduled = this.#corked !== undefined;
    this.#corked?.uncork();
    this.#corked = stream;
    this.#waiting = 1;
    stream.cork();
    if (!alreadyScheduled) this.schedule(this.#uncork);
  }

  flush(): void {
    this.#corked?.uncork();
    this.#corked = undefined;
    this.#waiting = 0;
  }
}

/** Every command leaves by itself, as with ioredis alone. */
export class NoCork implements Corker {
  hold(): void {}
  flush(): void {}
}

/** Corks a client of ioredis. */
export function cork(client: Redis, corker: Corker): void {
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, stream) => {
    corker.hold((client as unknown as { stream?: Writable }).stream);
    return send(command, stream);
  };
}
