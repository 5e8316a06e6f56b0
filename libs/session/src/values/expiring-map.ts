import { SessionUnavailableError } from '../session.errors.js';
import { processClock, type Clock } from '../store-choice.js';

interface Entry<Value> {
  readonly value: Value;
  readonly until: number;
}

/** What happens when it is full: what was set first is forgotten, or what comes is refused. */
export type WhenFull = 'forget' | 'refuse';

/** Values by name that end by themselves. Bounded. */
export class ExpiringMap<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  #sweep = this.#entries.keys();

  constructor(
    private readonly clock: Clock = processClock,
    private readonly whenFull: WhenFull = 'refuse',
    private readonly limit = 100_000,
  ) {}

  get size(): number {
    return this.#entries.size;
  }

  /** @throws SessionUnavailableError when it is full of what has not ended yet, and refuses more. */
  set(name: string, value: Value, ttlMs: number): void {
    for (let looked = 0; looked < 2; looked++) {
      const next = this.#sweep.next();
      if (next.done) this.#sweep = this.#entries.keys();
      else this.find(next.value);
    }
    const full = this.#entries.size >= this.limit && !this.#entries.has(name);
    if (full && this.whenFull === 'refuse') {
      throw new SessionUnavailableError(`keep more than ${this.limit} of these`, false);
    }
    this.#entries.set(name, { value, until: this.clock() + ttlMs });
    if (this.#entries.size <= this.limit) return;
    const [oldest] = this.#entries.keys();
    this.#entries.delete(oldest!);
  }

  find(name: string): { readonly value: Value; readonly leftMs: number } | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const leftMs = Math.ceil(entry.until - this.clock());
    if (leftMs > 0) return { value: entry.value, leftMs };
    this.#entries.delete(name);
    return undefined;
  }

  /** Returns whether it was there. */
  delete(name: string): boolean {
    return this.find(name) !== undefined && this.#entries.delete(name);
  }

  clear(): void {
    this.#entries.clear();
  }
}
