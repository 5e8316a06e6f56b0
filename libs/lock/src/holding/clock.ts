/** The two clocks of this process. Neither alone is enough: see {@link Stopwatch}. */
export interface Clock {
  /** Ms that never go back, but stand still while the machine sleeps. */
  monotonic(): number;
  /** Ms since 1970, which go on in sleep, but may be stepped. */
  wall(): number;
}

export const systemClock: Clock = { monotonic: () => performance.now(), wall: () => Date.now() };

/** Measures from its construction on by both clocks, and believes the one that says more: errs to "too late". */
export class Stopwatch {
  readonly #monotonic: number;
  readonly #wall: number;

  constructor(private readonly clock: Clock) {
    this.#monotonic = clock.monotonic();
    this.#wall = clock.wall();
  }

  get elapsedMs(): number {
    return Math.max(this.clock.monotonic() - this.#monotonic, this.clock.wall() - this.#wall);
  }

  /** When it was started, by the wall clock. */
  get startedAt(): number {
    return this.#wall;
  }
}
