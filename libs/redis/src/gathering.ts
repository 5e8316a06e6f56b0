/**
 * A call leaves with so many, so that client and server work at the same time: with half of what the last turn had, but
 * with enough to be worth a call, and not so many that Redis would be held up.
 */
const FULL = { atLeast: 32, atMost: 128 } as const;

interface Waiting<Ask, Answer> {
  readonly ask: Ask;
  readonly resolve: (answer: Answer | Promise<Answer>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Sends what is asked in one turn of the event loop in one call, or a few. What comes alone leaves at once, and nothing
 * waits beyond the end of its turn.
 */
export class Gathering<Ask, Answer> {
  #waiting: Waiting<Ask, Answer>[] = [];
  /** What was asked in this turn; 0 before the first. */
  #gathered = 0;
  #full: number = FULL.atLeast;
  /** Calls that are not answered yet. */
  #underWay = 0;
  /** Whether the last turn had several: then the first of the next one is hardly alone, either. */
  #crowded = false;

  constructor(
    private readonly alone: (ask: Ask) => Promise<Answer>,
    /** Answers in the same order; undefined for what it leaves to `alone`. */
    private readonly together: (asks: readonly Ask[]) => Promise<readonly (Answer | undefined)[]>,
  ) {}

  /** Settles as `alone` would. */
  ask(ask: Ask): Promise<Answer> {
    if (this.#underWay === 0 && !this.#crowded) return this.#askAlone(ask);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ask, resolve, reject });
      if (this.#gathered++ === 0) setImmediate(this.#endTurn);
      if (this.#waiting.length >= this.#full) void this.#leave();
    });
  }

  readonly #endTurn = () => {
    this.#crowded = this.#gathered > 1;
    this.#full = Math.min(Math.max(Math.ceil(this.#gathered / 2), FULL.atLeast), FULL.atMost);
    this.#gathered = 0;
    if (this.#waiting.length > 0) void this.#leave();
  };

  async #askAlone(ask: Ask): Promise<Answer> {
    this.#underWay++;
    try {
      return await this.alone(ask);
    } finally {
      this.#underWay--;
    }
  }

  async #leave(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length === 1) return waiting[0]!.resolve(this.#askAlone(waiting[0]!.ask));
    this.#underWay++;
    try {
      const answers = await this.together(waiting.map(({ ask }) => ask));
      for (const [index, { ask, resolve }] of waiting.entries()) {
        const answer = answers[index];
        resolve(answer === undefined ? this.#askAlone(ask) : answer);
      }
    } catch (error) {
      // Nobody asks again: what became of the call may be unknown, and each claim has its own way with that.
      for (const { reject } of waiting) reject(error);
    } finally {
      this.#underWay--;
    }
  }
}
