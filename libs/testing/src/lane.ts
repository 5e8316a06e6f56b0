/** One direction of a connection: carries chunks in order, each in its time, until it loses one. */
export class Lane {
  readonly #deliver: (chunk: Buffer | null) => void;
  #pending: { readonly chunk: Buffer | null; readonly dueAt: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #lost = false;

  /** @param deliver hands a chunk to the other side; null stands for the end of the stream */
  constructor(deliver: (chunk: Buffer | null) => void) {
    this.#deliver = deliver;
  }

  /**
   * Whether bytes of this direction were lost. Nothing follows them then: a stream with a hole would hand one
   * caller's reply to another, which TCP never does.
   */
  get lost(): boolean {
    return this.#lost;
  }

  /** Delivers after `delayMs`, and never before what was carried earlier. */
  carry(chunk: Buffer | null, delayMs: number): void {
    if (this.#lost) return;
    if (delayMs === 0 && this.#pending.length === 0) return this.#deliver(chunk);
    const dueAt = Math.max(performance.now() + delayMs, this.#pending.at(-1)?.dueAt ?? 0);
    this.#pending.push({ chunk, dueAt });
    this.#timer ??= setTimeout(() => this.#deliverDue(), delayMs);
  }

  /** Loses what is under way, and with it all that comes after. */
  lose(): void {
    this.#lost = true;
    this.#pending = [];
    clearTimeout(this.#timer);
  }

  /** Loses what is under way, if anything is. */
  losePending(): void {
    if (this.#pending.length > 0) this.lose();
  }

  #deliverDue(): void {
    // A timer may fire a fraction of a millisecond early, by the finer clock.
    while (this.#pending[0] && this.#pending[0].dueAt <= performance.now() + 1) {
      const { chunk } = this.#pending.shift() ?? { chunk: null };
      this.#deliver(chunk);
    }
    const next = this.#pending[0];
    this.#timer = next && setTimeout(() => this.#deliverDue(), next.dueAt - performance.now());
  }
}
