/** What a read of events saw of the transactions of the database, as `pg_current_snapshot()` tells them. */
export interface EventsSeen {
  /** The id of the newest event of the read. */
  readonly newest: bigint;
  /** All transactions before this one have ended. */
  readonly xmin: bigint;
  /** No transaction from this one on had begun. */
  readonly xmax: bigint;
}

interface Mark {
  readonly id: bigint;
  readonly xmax: bigint;
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

  upTo({ newest, xmin, xmax }: EventsSeen): bigint {
    const nowMs = this.now();
    if (newest > (this.#marks.at(-1)?.id ?? this.#settled)) this.#marks.push({ id: newest, xmax, atMs: nowMs });
    for (let [first] = this.#marks; first !== undefined; [first] = this.#marks) {
      if (first.xmax > xmin && nowMs - first.atMs < this.longestMs) break;
      this.#settled = first.id;
      this.#marks.shift();
    }
    return this.#settled;
  }
}
