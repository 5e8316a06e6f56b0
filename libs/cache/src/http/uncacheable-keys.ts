const KEPT_MS = 10_000;
const MAX_KEYS = 10_000;

/**
 * Keys whose last response could not be shared ("hit-for-miss" of Varnish): requests for them do not wait for each other, or
 * those of a route that nothing is kept of would be served one after another.
 */
export class UncacheableKeys {
  readonly #until = new Map<string, number>();

  add(key: string): void {
    this.#until.delete(key);
    this.#until.set(key, performance.now() + KEPT_MS);
    if (this.#until.size <= MAX_KEYS) return;
    const [oldest] = this.#until.keys();
    this.#until.delete(oldest!);
  }

  has(key: string): boolean {
    const until = this.#until.get(key);
    if (until === undefined) return false;
    if (performance.now() < until) return true;
    this.#until.delete(key);
    return false;
  }

  get size(): number {
    return this.#until.size;
  }
}
