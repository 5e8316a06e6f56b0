import type { PubSub } from '@roost/redis';

/** Scripts publish here, with the instance of the process whose turn it is; the message is the holder. */
const CHANNEL = 'lock:turn:';

/** Hears whose turn it is: one subscription for all waiters of a process. */
export class Turns {
  /** The channel without the instance, on the wire. */
  readonly prefix: string;
  readonly #listeners = new Set<(holder: string | undefined) => void>();
  #listening = false;

  constructor(
    private readonly pubsub: PubSub,
    private readonly instance: string,
  ) {
    this.prefix = pubsub.wire(CHANNEL);
  }

  on(listener: (holder: string | undefined) => void): () => void {
    this.#listeners.add(listener);
    this.#listen();
    return () => this.#listeners.delete(listener);
  }

  /** The subscription stays: the next waiter of this process comes soon. */
  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.pubsub.onGap(({ phase }) => phase === 'restored' && this.#tell(undefined));
    // Who began to wait before it stood may have missed his turn.
    void this.pubsub
      .subscribe(CHANNEL + this.instance, (holder) => this.#tell(holder))
      .then(() => this.#tell(undefined));
  }

  #tell(holder: string | undefined): void {
    for (const listener of this.#listeners) listener(holder);
  }
}
