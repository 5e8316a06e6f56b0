/**
 * Remembers what was computed for the names that were used last: at least `size` of them, at most twice as many. Two maps
 * that take turns need no order of use, which would cost more than most of what is remembered here.
 */
export class Memo<Value extends NonNullable<unknown>> {
  #recent = new Map<string, Value>();
  #before = new Map<string, Value>();

  constructor(private readonly size: number) {}

  get(name: string): Value | undefined {
    const value = this.#recent.get(name);
    if (value !== undefined) return value;
    const earlier = this.#before.get(name);
    if (earlier !== undefined) this.set(name, earlier);
    return earlier;
  }

  set(name: string, value: Value): void {
    if (this.#recent.size >= this.size) {
      this.#before = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(name, value);
  }
}
