/** How long one waits at most, in ms. */
const PATIENCE_MS = 1_000;

/** Those who wait until a view has come to a version. */
export class VersionWaiters {
  readonly #looks = new Set<() => void>();

  constructor(private readonly isThere: (version: number) => boolean) {}

  /** Resolves to whether the view came to the version within a second. */
  wait(version: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (there: boolean) => {
        clearTimeout(timer);
        this.#looks.delete(look);
        resolve(there);
      };
      const look = () => this.isThere(version) && settle(true);
      const timer = setTimeout(() => settle(false), PATIENCE_MS).unref();
      this.#looks.add(look);
      look();
    });
  }

  /** The view has come further. */
  wake(): void {
    for (const look of this.#looks) look();
  }
}
