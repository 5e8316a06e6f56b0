import { LatencyHistogram } from './latency-histogram.js';

/** What became of the requests. Those without an answer have no status and no latency, and count as failures. */
export class Tally {
  readonly latency = new LatencyHistogram();
  readonly statuses = new Map<number, number>();
  #unanswered = 0;

  answered(status: number, latencyMs: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    this.latency.record(latencyMs);
  }

  noAnswer(): void {
    this.#unanswered++;
  }

  get unanswered(): number {
    return this.#unanswered;
  }

  get total(): number {
    return this.latency.count + this.#unanswered;
  }

  /** Answers of the server's own failure, and requests it left without an answer. */
  get failed(): number {
    return this.#unanswered + this.#count((status) => status >= 500);
  }

  get limited(): number {
    return this.#count((status) => status === 429);
  }

  /** Neither served, nor limited, nor failed: a wrong path or key, so that the run measured something else. */
  get unexpected(): number {
    return this.#count((status) => status >= 300 && status < 500 && status !== 429);
  }

  #count(matches: (status: number) => boolean): number {
    return [...this.statuses].reduce((sum, [status, count]) => (matches(status) ? sum + count : sum), 0);
  }
}
