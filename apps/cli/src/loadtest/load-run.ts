import { HttpClient } from './http-client.js';
import { totalOf, type LoadPlan } from './load-plan.js';
import { Tally } from './tally.js';

/**
 * An open-loop load: request n is due at n / rate, whether or not earlier ones were answered, and its latency counts from
 * then. A server that stalls is thus charged with everyone who would have waited ("coordinated omission", Gil Tene 2013).
 */
export class LoadRun {
  readonly tally = new Tally();
  readonly #total: number;
  readonly #client: HttpClient;
  readonly #path: string;
  #startedAt = 0;
  #sent = 0;
  #inFlight = 0;
  #timer: NodeJS.Timeout | undefined;
  #over = false;
  #finish: () => void = () => {};

  constructor(private readonly plan: LoadPlan) {
    this.#total = totalOf(plan);
    this.#client = new HttpClient(plan.url, plan.connections);
    this.#path = plan.url.pathname + plan.url.search;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Resolves when every request has been answered or given up, or at once when the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#startedAt = performance.now();
    await new Promise<void>((finish) => {
      this.#finish = finish;
      signal.addEventListener('abort', () => finish(), { once: true });
      if (signal.aborted) finish();
      else this.#pump();
    });
    clearTimeout(this.#timer);
    this.#over = true;
    this.#client.close();
  }

  #pump(): void {
    clearTimeout(this.#timer);
    const due = Math.min(this.#total, Math.floor((this.elapsedMs / 1_000) * this.plan.ratePerSecond) + 1);
    while (this.#sent < due && this.#inFlight < this.plan.connections) void this.#send(this.#sent++);
    if (this.#sent === this.#total) {
      if (this.#inFlight === 0) this.#finish();
    } else if (this.#inFlight < this.plan.connections) {
      this.#timer = setTimeout(() => this.#pump(), Math.max(1, this.#dueAt(this.#sent) - performance.now()));
    } // else the next answer pumps
  }

  async #send(index: number): Promise<void> {
    const dueAt = this.#dueAt(index);
    const leftMs = dueAt + this.plan.timeoutMs - performance.now();
    this.#inFlight++;
    // A request that waited its whole time for a connection is one whose caller has left.
    const answer =
      leftMs > 0
        ? await this.#client.get(this.#path, { 'x-api-key': `pro-loadtest-${(index % this.plan.keys) + 1}` }, leftMs)
        : await null;
    this.#inFlight--;
    if (this.#over) return; // cut off by an abort, not by the server
    if (answer) this.tally.answered(answer.status, performance.now() - dueAt);
    else this.tally.noAnswer();
    this.#pump();
  }

  #dueAt(index: number): number {
    return this.#startedAt + (index / this.plan.ratePerSecond) * 1_000;
  }
}
