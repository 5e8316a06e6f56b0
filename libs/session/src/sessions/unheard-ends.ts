/** Sessions that were ended here while Redis was lost: it is told when it is back, as long as this process lives. */
export class UnheardEnds {
  readonly #ids = new Set<string>();

  constructor(private readonly limit: number) {}

  get size(): number {
    return this.#ids.size;
  }

  add(id: string): void {
    if (this.#ids.size < this.limit) this.#ids.add(id);
  }

  /** Tries each once; those that fail wait for the next time. */
  async tell(end: (id: string) => Promise<unknown>): Promise<void> {
    const ids = [...this.#ids];
    this.#ids.clear();
    await Promise.allSettled(ids.map((id) => end(id))); // `end` adds what fails again
  }
}
