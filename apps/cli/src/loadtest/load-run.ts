import { monitorEventLoopDelay } from 'node:perf_hooks';
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
  readonly #ownDelay = monitorEventLoopDelay({ resolution: 10 });
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

  /** How late this process itself was, at the 99th percentile: what it measured is no better than that. */
  get ownDelayMs(): number {
    // The monitor counts from one timer to the next, its own period included.
    return Math.max(0, this.#ownDelay.percentile(99) / 1e6 - 10);
  }

  /** Resolves when every request has been answered or given up, or at once when the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#startedAt = performance.now();
    this.#ownDelay.enable();
    await new Promise<void>((finish) => {
      this.#finish = finish;
      signal.addEventListener('abort', () => finish(), { once: true });
      if (signal.aborted) finish();
      else this.#pump();
    });
    clearTimeout(this.#timer);
    this.#over = true;
    this.#ownDelay.disable();
    this.#client.close();
  }

  #pump(): void {
    clearTimeout(this.#timer);
    if (this.#over) return;
    const due = Math.min(this.#total, Math.floor((this.elapsedMs / 1_000) * this.plan.ratePerSecond) + 1);
    for (; this.#sent < due; this.#sent++) {
      const leftMs = this.#dueAt(this.#sent) + this.plan.timeoutMs - performance.now();
      // A request that waited its whole time for a connection is one whose caller has left.
      if (leftMs <= 0) this.tally.noAnswer();
      else if (this.#inFlight < this.plan.connections) void this.#send(this.#sent, leftMs);
      else break; // the next answer pumps
    }
    if (this.#sent === this.#total && this.#inFlight === 0) this.#finish();
    else if (this.#sent === due && due < this.#total) {
      this.#timer = setTimeout(() => this.#pump(), Math.max(1, this.#dueAt(due) - performance.now()));
    }
  }

  async #send(index: number, leftMs: number): Promise<void> {
    this.#inFlight++;
    const headers = { 'x-api-key': `pro-loadtest-${(index % this.plan.keys) + 1}` };
    const answer = await this.#client.get(this.#path, headers, leftMs);
    this.#inFlight--;
    if (this.#over) return; // cut off by an abort, not by the server
    if (answer) this.tally.answered(answer.status, performance.now() - this.#dueAt(index));
    else this.tally.noAnswer();
    this.#pump();
  }

  #dueAt(index: number): number {
    return this.#startedAt + (index / this.plan.ratePerSecond) * 1_000;
  }
}
