/** A promise under way that must end by a moment. */
interface Pending {
  readonly endsAt: number;
  done: boolean;
  expire: () => void;
}

/** A timer this much late means that this process stalled, not Redis. */
const STALL_MS = 40;
/** What replies, and commands that were still corked, get after a stall before anything is given up. */
const GRACE_MS = 50;

/**
 * One timer for all deadlines of one length. Calls are queued in the order in which they expire, so that a call costs
 * two array operations and no timer of its own.
 *
 * A process that stalls sees its timers fire before it reads what has long arrived: when a timer is late, replies get
 * a moment of grace before anything is given up.
 */
export class Deadlines {
  #queue: Pending[] = [];
  #head = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly timeoutMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Calls `expire` after `timeoutMs` unless the returned function is called before. */
  start(expire: () => void): () => void {
    const pending: Pending = { endsAt: this.now() + this.timeoutMs, done: false, expire };
    this.#queue.push(pending);
    if (this.#timer === undefined) this.#arm(this.timeoutMs);
    return () => {
      pending.done = true;
      pending.expire = forget;
    };
  }

  #arm(delayMs: number): void {
    const dueAt = this.now() + delayMs;
    this.#timer = setTimeout(() => {
      const stalled = this.now() - dueAt > STALL_MS;
      if (stalled) this.#timer = setTimeout(() => this.#sweep(), GRACE_MS).unref();
      else this.#sweep();
    }, delayMs).unref();
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = this.now();
    while (this.#head < this.#queue.length) {
      const next = this.#queue[this.#head]!;
      if (!next.done && next.endsAt > now + 0.5) break;
      this.#head++;
      if (!next.done) next.expire();
    }
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
      return;
    }
    if (this.#head > 1_024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#arm(Math.max(1, this.#queue[this.#head]!.endsAt - now));
  }
}

function forget(): void {}
