/** When hits expire, in that order. Adding and expiring take constant time each, however many there are. */
export class Hits {
  #times: number[] = [];
  #head = 0;

  get count(): number {
    return this.#times.length - this.#head;
  }

  /** When the first of them expires; undefined when there are none. */
  get first(): number | undefined {
    return this.#times[this.#head];
  }

  /** When the last of them expires; undefined when there are none. */
  get last(): number | undefined {
    return this.#times.at(-1);
  }

  /** Forgets what has expired by `now`. */
  expire(now: number): void {
    const times = this.#times;
    while (this.#head < times.length && times[this.#head]! <= now) this.#head++;
    if (this.#head === times.length) this.clear();
    else if (this.#head > 32 && this.#head * 2 > times.length) {
      this.#times = times.slice(this.#head);
      this.#head = 0;
    }
  }

  add(expiresAt: number): void {
    const times = this.#times;
    let at = times.length;
    // Only where a `ttl` got shorter does a hit expire before an older one.
    while (at > this.#head && times[at - 1]! > expiresAt) at--;
    if (at === times.length) times.push(expiresAt);
    else times.splice(at, 0, expiresAt);
  }

  clear(): void {
    this.#times = [];
    this.#head = 0;
  }
}
