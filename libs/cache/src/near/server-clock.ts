/** For how long a sample is not replaced by one that took longer. */
const SAMPLE_LIVES_MS = 10_000;

/**
 * The store's clock, reckoned from samples and the monotonic clock of this process: what the clock on this machine's wall
 * says plays no part. It is ahead by at most the time the sample took, so that nothing lives longer than it should.
 */
export class ServerClock {
  #offset: number | undefined;
  #roundTripMs = Infinity;
  #sampledAt = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(private readonly ask: () => Promise<number>) {}

  /** Ms since 1970; before anything is known, what this machine says. */
  now(): number {
    return performance.now() + (this.#offset ?? performance.timeOrigin);
  }

  /** Takes in what the store said its time was, asked for at `askedAt` (monotonic ms). */
  learn(serverMs: number, askedAt: number): void {
    const now = performance.now();
    const roundTripMs = now - askedAt;
    if (roundTripMs > this.#roundTripMs && now - this.#sampledAt < SAMPLE_LIVES_MS) return;
    this.#offset = serverMs - askedAt;
    this.#roundTripMs = roundTripMs;
    this.#sampledAt = now;
  }

  get isKnown(): boolean {
    return this.#offset !== undefined;
  }

  /** Asks once when nothing is known yet, for all who want to know. */
  async known(): Promise<void> {
    if (!this.isKnown) await (this.#asking ??= this.sync().finally(() => (this.#asking = undefined)));
  }

  /** Asks anew: this may be another server than before. */
  async sync(): Promise<void> {
    const askedAt = performance.now();
    const serverMs = await this.ask();
    this.#roundTripMs = Infinity;
    this.learn(serverMs, askedAt);
  }
}
