/** What a line waits for: to be told that its turn has come, or a while. */
export class Turn {
  #come = false;
  #resume: (() => void) | undefined;

  /** Tells whoever waits, or is about to wait. */
  come(): void {
    this.#come = true;
    this.#resume?.();
  }

  /** What was told until now is about to be looked after. */
  taken(): void {
    this.#come = false;
  }

  /** Resolves after so many ms, or when told; at once when it was told since {@link taken}. */
  wait(ms: number): Promise<void> {
    if (this.#come) return Promise.resolve();
    return new Promise((resolve) => {
      const resume = () => {
        clearTimeout(timer);
        this.#resume = undefined;
        resolve();
      };
      const timer = setTimeout(resume, ms);
      this.#resume = resume;
    });
  }
}
