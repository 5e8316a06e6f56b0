import { startOfName } from './cache-manager.keys.js';

/**
 * Names of which Redis may hold what must not be served again: they were written or removed while Redis did not answer.
 * Too many, and their whole namespace is in doubt.
 */
export class Doubts {
  readonly #names = new Map<string, number>();
  readonly #starts = new Map<string, number>();
  #count = 0;

  constructor(private readonly maxNames: number) {}

  get size(): number {
    return this.#names.size + this.#starts.size;
  }

  get names(): ReadonlyMap<string, number> {
    return this.#names;
  }

  /** What the names of namespaces begin with that are in doubt as a whole. */
  get starts(): ReadonlyMap<string, number> {
    return this.#starts;
  }

  covers(name: string): boolean {
    if (this.size === 0) return false;
    return this.#names.has(name) || this.#starts.has(startOfName(name));
  }

  add(name: string): void {
    if (this.#starts.has(startOfName(name))) return this.addAll(startOfName(name));
    this.#names.set(name, ++this.#count);
    if (this.#names.size > this.maxNames) this.addAll(startOfName(name));
  }

  addAll(start: string): void {
    this.#starts.set(start, ++this.#count);
    for (const name of this.#names.keys()) if (name.startsWith(start)) this.#names.delete(name);
  }

  /** When it was last doubted; what is resolved must not have been doubted since. */
  get moment(): number {
    return this.#count;
  }

  resolve(name: string, upTo: number): void {
    if ((this.#names.get(name) ?? Infinity) <= upTo) this.#names.delete(name);
  }

  resolveAll(start: string, upTo: number): void {
    if ((this.#starts.get(start) ?? Infinity) <= upTo) this.#starts.delete(start);
  }
}
