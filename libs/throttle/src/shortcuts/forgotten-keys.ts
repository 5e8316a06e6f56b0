import type { Key, PubSub } from '@roost/redis';

/** Whose refusals no longer hold; `undefined`: perhaps all. */
export type OnForgotten = (names: readonly string[] | undefined) => void;

const CHANNEL = 'throttle:forgotten';
const EVERYTHING = '*';
/** A message is at most about 40 kB long. */
const MAX_PER_MESSAGE = 200;
/** More in one turn are told as "perhaps all". */
const MAX_PER_TURN = 2_000;

/**
 * Tells every process that something was given back under keys. Those of one turn travel together.
 *
 * A message that gets lost is noticed by its listeners as a gap, and one that could not be sent by nobody: others then
 * refuse for as long as they remember, a minute at most. The sender never does, for it forgets on its own.
 */
export class ForgottenKeys {
  readonly #names = new Set<string>();
  #leaving: Promise<void> | undefined;
  #listening: 'no' | 'soon' | 'yes' = 'no';
  #closed = false;
  #stop: (() => void)[] = [];

  constructor(
    private readonly pubsub: Pick<PubSub, 'publish' | 'subscribe' | 'onGap'>,
    private readonly onForgotten: OnForgotten,
  ) {}

  /** Whether all that is told arrives here. The first question begins to listen. */
  get listening(): boolean {
    if (this.#listening === 'no' && !this.#closed) void this.#listen();
    return this.#listening === 'yes';
  }

  /** Tells the others. Resolves when it was sent, or could not be. */
  tell(keys: readonly Key[]): Promise<void> {
    for (const { name } of keys) this.#names.add(name);
    if (this.#names.size === 0) return Promise.resolve();
    this.#leaving ??= new Promise((sent) => setImmediate(() => void this.#send().then(sent)));
    return this.#leaving;
  }

  close(): void {
    this.#closed = true;
    this.#listening = 'no';
    for (const stop of this.#stop) stop();
    this.#stop = [];
  }

  async #listen(): Promise<void> {
    this.#listening = 'soon';
    this.#stop.push(
      this.pubsub.onGap(({ phase }) => {
        this.#listening = phase === 'lost' ? 'soon' : 'yes';
        this.onForgotten(undefined);
      }),
    );
    let lost = false;
    const stopWatching = this.pubsub.onGap(({ phase }) => (lost = phase === 'lost'));
    const unsubscribe = await this.pubsub.subscribe(CHANNEL, (message) => this.onForgotten(namesIn(message)));
    stopWatching();
    if (this.#closed) return unsubscribe();
    this.#stop.push(unsubscribe);
    if (!lost) this.#listening = 'yes';
  }

  async #send(): Promise<void> {
    this.#leaving = undefined;
    const names = [...this.#names];
    this.#names.clear();
    const messages: string[] = [];
    if (names.length > MAX_PER_TURN) messages.push(EVERYTHING);
    else {
      for (let from = 0; from < names.length; from += MAX_PER_MESSAGE) {
        messages.push(JSON.stringify(names.slice(from, from + MAX_PER_MESSAGE)));
      }
    }
    // Whoever gave something back has done so: that others could not be told is no failure of that.
    await Promise.allSettled(messages.map((message) => this.pubsub.publish(CHANNEL, message)));
  }
}

function namesIn(message: string): readonly string[] | undefined {
  if (message === EVERYTHING) return undefined;
  try {
    const names: unknown = JSON.parse(message);
    return Array.isArray(names) ? names.map(String) : undefined;
  } catch {
    return undefined; // whatever it was, it was about forgetting
  }
}
