import { within } from '../jobs/deadline.js';

const MANY = 1_000;
/** What the store has not heard of after this long it will not hear: it was lost, or the lock was. */
const FORGOTTEN_AFTER_MS = 60_000;

/** Jobs that have ended here, of which the store has yet to hear: closed before, they would run again. */
export class UntoldEndings {
  readonly #endedAt = new Map<string, number>();
  #whenEmpty: (() => void) | undefined;

  add(job: string): void {
    const now = performance.now();
    this.#endedAt.set(job, now);
    if (this.#endedAt.size <= MANY) return;
    for (const [oldest, at] of this.#endedAt) {
      if (now - at < FORGOTTEN_AFTER_MS) return;
      this.#endedAt.delete(oldest);
    }
  }

  told(job: string): void {
    this.#endedAt.delete(job);
    if (this.#endedAt.size === 0) this.#whenEmpty?.();
  }

  /** Waits for so long until all are told. How many are not. */
  async settle(ms: number): Promise<number> {
    if (this.#endedAt.size > 0) {
      const empty = new Promise<void>((resolve) => (this.#whenEmpty = resolve));
      await within(ms, empty).catch(() => {}); // a store that is lost hears of nothing
    }
    return this.#endedAt.size;
  }
}
