import { CronClock } from '../duties/cron.schedule.js';

interface Timer {
  readonly dueMs: number;
  readonly call: () => void;
}

/** Time that passes when a test says so. */
export class FakeTime {
  #passedMs = 0;
  #wallMs: number;
  readonly #timers = new Set<Timer>();

  constructor(start: string) {
    this.#wallMs = Date.parse(start);
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#timers.size;
  }

  /** The clock of a process, which is ahead by so much. */
  clock(aheadMs = 0): CronClock {
    return {
      now: () => this.#wallMs + aheadMs,
      after: (ms, call) => {
        const timer = { dueMs: this.#passedMs + Math.max(ms, 0), call };
        this.#timers.add(timer);
        return () => void this.#timers.delete(timer);
      },
    };
  }

  /** Somebody sets the clocks. */
  step(ms: number): void {
    this.#wallMs += ms;
  }

  /** Time goes by, and nobody sees it. */
  sleep(ms: number): void {
    this.#passedMs += ms;
    this.#wallMs += ms;
  }

  /** Time goes by; timers come in their order, and `settled` is awaited after each. */
  async advance(ms: number, settled: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
    const endMs = this.#passedMs + ms;
    for (;;) {
      const next = [...this.#timers].toSorted((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined || next.dueMs > endMs) break;
      this.sleep(Math.max(next.dueMs - this.#passedMs, 0));
      this.#timers.delete(next);
      next.call();
      await settled();
    }
    this.sleep(endMs - this.#passedMs);
    await settled();
  }
}
