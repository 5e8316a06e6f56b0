/**
 * A map whose entries all live equally long, and that never holds more than `limit`: the oldest gives way.
 * Insertion order is expiry order, so that both rules only ever look at the first entry.
 */
export class BoundedExpiringMap<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly expiresAt: number }>();

  constructor(
    private readonly ttlMs: number,
    private readonly limit: number,
    private readonly now: () => number,
  ) {}

  get size(): number {
    return this.#entries.size;
  }

  set(key: string, value: Value): void {
    this.#entries.delete(key); // so that a renewed entry moves to the end
    this.#entries.set(key, { value, expiresAt: this.now() + this.ttlMs });
    for (const [oldest, { expiresAt }] of this.#entries) {
      if (this.#entries.size <= this.limit && expiresAt > this.now()) return;
      this.#entries.delete(oldest);
    }
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    return entry && entry.expiresAt > this.now() ? entry.value : undefined;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
