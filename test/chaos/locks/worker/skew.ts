/**
 * Steps the wall clock of this process. A machine that was asleep looks the same from inside: its monotonic clock
 * stood still, its wall clock is ahead. It is done at the source, so that whoever asks another way is caught as well.
 */
export class Skew {
  readonly #now = Date.now;
  #ms = 0;

  constructor() {
    Date.now = () => this.#now() + this.#ms;
  }

  set(ms: number): void {
    this.#ms = ms;
  }
}
