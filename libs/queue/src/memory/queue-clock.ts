/** Time as queues in memory see it: what is delayed, scheduled or rate limited follows it. */
export interface QueueClock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(run: () => void, ms: number): object;
  clearTimeout(handle: object): void;
}

/** The clock and the timers of this process, which do not keep it alive. */
export class SystemQueueClock implements QueueClock {
  now(): number {
    return Date.now();
  }

  setTimeout(run: () => void, ms: number): object {
    return setTimeout(run, ms).unref();
  }

  clearTimeout(handle: object): void {
    clearTimeout(handle as NodeJS.Timeout);
  }
}

interface FakeTimer {
  readonly run: () => void;
  readonly at: number;
}

// Enough for a worker to take a job and for a handler that waits for a few ticks of its own.
const TURNS = 5;

/**
 * A clock that stands still until it is told to advance.
 * @example
 * const clock = new FakeQueueClock(Date.UTC(2027, 0, 1));
 * await queue.add('remind', {}, { delay: 3_600_000 });
 * await clock.advance(3_600_000); // the job has run
 */
export class FakeQueueClock implements QueueClock {
  readonly #timers = new Set<FakeTimer>();
  #now: number;

  constructor(startMs = Date.now()) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(run: () => void, ms: number): object {
    const timer = { run, at: this.#now + Math.max(ms, 0) };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(handle: object): void {
    this.#timers.delete(handle as FakeTimer);
  }

  /** Runs what falls due within so many ms, each at its own time, and lets the event loop turn after each. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await turn();
    for (let timer = this.#next(until); timer; timer = this.#next(until)) {
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.run();
      await turn();
    }
    this.#now = Math.max(this.#now, until);
    await turn();
  }

  #next(until: number): FakeTimer | undefined {
    let next: FakeTimer | undefined;
    for (const timer of this.#timers) if (timer.at <= until && !(next && next.at <= timer.at)) next = timer;
    return next;
  }
}

async function turn(): Promise<void> {
  for (let i = 0; i < TURNS; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
