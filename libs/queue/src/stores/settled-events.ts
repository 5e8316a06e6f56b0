/** What a read of events saw of the transactions of the database. */
export interface EventsSeen {
  /** The id of the newest event of the read. */
  readonly newest: bigint;
  /** All transactions before this one have ended. */
  readonly xmin: bigint;
  /**
   * No transaction from this one on had begun. A snapshot does not tell that: its `xmax` comes after those that have ended,
   * not after those that run. Needed where the newest event was not seen before.
   */
  readonly next: bigint | undefined;
}

interface Mark {
  readonly id: bigint;
  readonly next: bigint;
  readonly atMs: number;
}

/**
 * Up to which id nothing can come any more. Ids are given before the commit, so that a later one may be seen first, and
 * BullMQ's own reader goes past those that come after it. Whoever has a smaller id ran when the later one was first seen.
 */
export class SettledEvents {
  readonly #marks: Mark[] = [];
  #settled = -1n;

  /** @param longestMs how long others are waited for: a transaction may be left open for hours. */
  constructor(
    private readonly longestMs: number,
    private readonly now: () => number,
  ) {}

  /** The newest event that was seen. */
  get newest(): bigint {
    return this.#marks.at(-1)?.id ?? this.#settled;
  }

  upTo({ newest, xmin, next }: EventsSeen): bigint {
    const nowMs = this.now();
    if (newest > this.newest && next !== undefined) this.#marks.push({ id: newest, next, atMs: nowMs });
    for (let [first] = this.#marks; first !== undefined; [first] = this.#marks) {
      if (first.next > xmin && nowMs - first.atMs < this.longestMs) break;
      this.#settled = first.id;
      this.#marks.shift();
    }
    return this.#settled;
  }
}
