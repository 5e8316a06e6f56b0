const STEP = Math.log(1.01);
const SMALLEST_MS = 0.01;

/** Latencies in buckets 1 % wide: a run of hours takes no more memory than one of seconds. */
export class LatencyHistogram {
  readonly #buckets: (number | undefined)[] = []; // sparse
  #count = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  record(latencyMs: number): void {
    const bucket = Math.max(0, Math.ceil(Math.log(latencyMs / SMALLEST_MS) / STEP));
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#count++;
    this.#maxMs = Math.max(this.#maxMs, latencyMs);
  }

  /** The latency that a share of all requests stayed within, at most 1 % too high; NaN before the first one. */
  quantile(share: number): number {
    if (this.#count === 0) return NaN;
    let left = Math.ceil(share * this.#count);
    const bucket = this.#buckets.findIndex((count) => (left -= count ?? 0) <= 0);
    return Math.min(SMALLEST_MS * Math.exp(bucket * STEP), this.#maxMs);
  }
}
