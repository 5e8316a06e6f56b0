interface Entry {
  readonly id: string;
  readonly score: number;
  readonly rank: number;
}

/** Ids in the order of a score, then of a rank, then of their spelling; also used as a line that has two ends. */
export class SortedIds implements Iterable<string> {
  readonly #entries: Entry[] = [];
  readonly #byId = new Map<string, Entry>();

  get size(): number {
    return this.#entries.length;
  }

  /** The score of the first one. */
  get lowest(): number | undefined {
    return this.#entries[0]?.score;
  }

  /** The score of the last one. */
  get highest(): number | undefined {
    return this.#entries.at(-1)?.score;
  }

  add(id: string, score: number, rank = 0): void {
    this.remove(id);
    const entry = { id, score, rank };
    this.#byId.set(id, entry);
    const last = this.#entries.at(-1);
    if (!last || compare(last, entry) < 0) this.#entries.push(entry);
    else this.#entries.splice(this.#indexOf(entry), 0, entry);
  }

  addFirst(id: string): void {
    this.add(id, (this.#entries[0]?.score ?? 0) - 1);
  }

  addLast(id: string): void {
    this.add(id, (this.#entries.at(-1)?.score ?? 0) + 1);
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  scoreOf(id: string): number | undefined {
    return this.#byId.get(id)?.score;
  }

  remove(id: string): boolean {
    const entry = this.#byId.get(id);
    if (!entry) return false;
    this.#byId.delete(id);
    this.#entries.splice(this.#indexOf(entry), 1);
    return true;
  }

  shift(): string | undefined {
    const first = this.#entries.shift();
    if (first) this.#byId.delete(first.id);
    return first?.id;
  }

  /** From one index to another, both included; negative ones count from the end. */
  slice(start: number, end: number): string[] {
    return slice(this.#entries, start, end).map(({ id }) => id);
  }

  /** The same in the opposite order. */
  sliceReversed(start: number, end: number): string[] {
    return slice(this.#entries.toReversed(), start, end).map(({ id }) => id);
  }

  /** Those whose score lies in a range, both ends included, at most so many. */
  within(lowest: number, highest: number, limit = Infinity): string[] {
    const found: string[] = [];
    for (let i = this.#indexOf({ id: '', score: lowest, rank: -Infinity }); i < this.size; i++) {
      const { id, score } = this.#entries[i]!;
      if (score > highest || found.length >= limit) break;
      found.push(id);
    }
    return found;
  }

  clear(): void {
    this.#entries.length = 0;
    this.#byId.clear();
  }

  *[Symbol.iterator](): Iterator<string> {
    for (const { id } of this.#entries.slice()) yield id;
  }

  #indexOf(entry: Entry): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(this.#entries[middle]!, entry) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** As ranges of Redis: both ends included, negative indexes count from the end. */
export function slice<T>(items: readonly T[], start: number, end: number): T[] {
  const from = start < 0 ? Math.max(items.length + start, 0) : start;
  const to = end < 0 ? items.length + end : end;
  return items.slice(from, Math.max(to + 1, 0));
}

function compare(a: Entry, b: Entry): number {
  return a.score - b.score || a.rank - b.rank || (a.id < b.id ? -1 : Number(a.id > b.id));
}
