/** The waits of one Worker or QueueEvents, which end when it is closed. */
export class Waits {
  readonly #interrupts = new Set<() => void>();

  /** Waits until `begin` calls back, or for undefined until it is interrupted; `begin` gives back how to stop. */
  until<T>(begin: (done: (value: T) => void) => () => void): Promise<T | undefined> {
    return new Promise((resolve) => {
      const interrupt = () => settle(undefined);
      let stop: (() => void) | undefined;
      let settled = false;
      const settle = (value: T | undefined) => {
        settled = true;
        this.#interrupts.delete(interrupt);
        stop?.();
        resolve(value);
      };
      this.#interrupts.add(interrupt);
      stop = begin(settle);
      if (settled) stop(); // it has called back at once
    });
  }

  /** Waits until it is interrupted. */
  async forever(): Promise<void> {
    await this.until(() => () => undefined);
  }

  interrupt(): void {
    for (const interrupt of this.#interrupts) interrupt();
  }
}
