import { tidy, type Behaviour, type OpenBench } from './bench.js';

// So many at once that most of the time is not spent on waiting, and not so many that all are late.
const AT_ONCE = 8;

/** Shows each behaviour on a bench of its own; the outcomes come in the order in which the behaviours are given. */
export class Outcomes {
  readonly #outcomes = new Map<string, Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(open: OpenBench, behaviours: Readonly<Record<string, Behaviour>>) {
    for (const [i, [name, behave]] of Object.entries(behaviours).entries()) {
      const outcome = this.#run(open, `${i}`, behave);
      outcome.catch(() => undefined); // told to who asks for it
      this.#outcomes.set(name, outcome);
    }
  }

  /** @throws what the behaviour has failed with */
  of(name: string): Promise<unknown> {
    return this.#outcomes.get(name)!;
  }

  /** Resolves when all have been shown, whatever came of them. */
  async all(): Promise<void> {
    await Promise.allSettled(this.#outcomes.values());
  }

  async #run(open: OpenBench, scope: string, behave: Behaviour): Promise<unknown> {
    while (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    const bench = open(scope);
    try {
      return tidy(await behave(bench));
    } finally {
      await bench.close();
      this.#running--;
      this.#waiting.shift()?.();
    }
  }
}
