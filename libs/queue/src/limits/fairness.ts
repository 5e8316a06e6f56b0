/** How many times as rarely it is looked at a queue in which nothing had to be moved. */
const RAREST = 8;

export interface FairnessOptions {
  /** After how many jobs of the queue one of the least urgent is moved. @default 10 */
  readonly every?: number;
  /** The id of the job that waits longest among the least urgent; undefined when none has to be moved. */
  readonly leastUrgent: () => Promise<string | undefined>;
  /** Moves a job to the front of all that wait. */
  readonly promote: (id: string) => Promise<void>;
  /** Told of what failed in the background. */
  readonly onError: (error: unknown) => void;
}

/**
 * Keeps the least urgent jobs of a queue from waiting for ever while more urgent ones keep coming: one in so many jobs is
 * one of them. Where all jobs are equally urgent it looks less often, up to eight times.
 */
export class Fairness {
  readonly #options: FairnessOptions;
  readonly #every: number;
  #finished = 0;
  #next: number;
  #moving = false;

  constructor(options: FairnessOptions) {
    this.#options = options;
    this.#every = options.every ?? 10;
    this.#next = this.#every;
  }

  /** Called after each job of the queue, whatever became of it. Never throws; a move goes on in the background. */
  finished(): void {
    this.#finished++;
    if (this.#finished < this.#next || this.#moving) return;
    this.#finished = 0;
    void this.#move();
  }

  async #move(): Promise<void> {
    const { leastUrgent, promote, onError } = this.#options;
    this.#moving = true;
    try {
      const id = await leastUrgent();
      this.#next = id === undefined ? Math.min(2 * this.#next, RAREST * this.#every) : this.#every;
      if (id !== undefined) await promote(id);
    } catch (error) {
      onError(error);
    } finally {
      this.#moving = false;
    }
  }
}
