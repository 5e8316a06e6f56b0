import { outsideRequests } from './outside-requests.js';

/** Something under way that is given up when its time has come. */
export interface Expiring {
  /** Monotonic ms; set by {@link Deadlines}. */
  endsAt: number;
  before: Expiring | undefined;
  after: Expiring | undefined;
  /** Its time has come. */
  expire(): void;
}

/** A timer this much late means that this process stalled, not Redis. */
const STALL_MS = 40;
/** What replies, and commands that were still corked, get after a stall before anything is given up. */
const GRACE_MS = 50;

/**
 * One timer for all deadlines of one length. Calls are linked in the order in which they expire; one that ends takes itself
 * out, so that nothing of it is kept until its deadline.
 *
 * A process that stalls sees its timers fire before it reads what has long arrived: when a timer is late, replies get
 * a moment of grace before anything is given up.
 */
export class Deadlines {
  #first: Expiring | undefined;
  #last: Expiring | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly timeoutMs: number) {}

  /** Whether nothing is under way. */
  get idle(): boolean {
    return this.#first === undefined;
  }

  /** Calls `expire` `timeoutMs` after `startedAt` (monotonic ms) unless `stop` is called before. */
  start(call: Expiring, startedAt: number): void {
    call.endsAt = startedAt + this.timeoutMs;
    let before = this.#last;
    while (before !== undefined && before.endsAt > call.endsAt) before = before.before; // a second try began earlier
    call.before = before;
    call.after = before === undefined ? this.#first : before.after;
    if (call.after === undefined) this.#last = call;
    else call.after.before = call;
    if (before === undefined) this.#first = call;
    else before.after = call;
    if (this.#timer === undefined) this.#arm(Math.max(1, call.endsAt - performance.now()));
  }

  stop(call: Expiring): void {
    if (call.before === undefined) this.#first = call.after;
    else call.before.after = call.after;
    if (call.after === undefined) this.#last = call.before;
    else call.after.before = call.before;
    call.before = call.after = undefined;
  }

  #arm(delayMs: number): void {
    const dueAt = performance.now() + delayMs;
    const due = () => {
      const stalled = performance.now() - dueAt > STALL_MS;
      if (stalled) this.#timer = setTimeout(() => this.#sweep(), GRACE_MS).unref();
      else this.#sweep();
    };
    this.#timer = outsideRequests(() => setTimeout(due, delayMs).unref());
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = performance.now();
    try {
      for (let call = this.#first; call !== undefined && call.endsAt <= now + 0.5; call = this.#first) {
        this.stop(call);
        call.expire();
      }
    } finally {
      if (this.#first !== undefined) this.#arm(Math.max(1, this.#first.endsAt - now));
    }
  }
}
