import type { Writable } from 'node:stream';

/** What `libs/redis` asks of its cork. */
export interface Corker {
  hold(stream: Writable | undefined): void;
  flush(): void;
}

/** As shipped, and like it after 32 commands, but ends with the tick instead of the turn of the event loop. */
export class NextTickCork implements Corker {
  #corked: Writable | undefined;
  #waiting = 0;
  readonly #uncork = () => this.flush();

  hold(stream: Writable | undefined): void {
    if (stream === undefined) return;
    if (this.#corked === stream) {
      if (++this.#waiting < 32) return;
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
    if (!alreadyScheduled) process.nextTick(this.#uncork);
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
