import { setTimeout as sleep } from 'node:timers/promises';
import { quantilesOf } from './closed-loop.js';
import { machineUs } from './contention.js';

/** Which jobs go first; a job without one is the queue's default. */
export type Urgency = 'high' | 'low';

/** What every job carries: about 200 bytes as JSON. */
export interface BenchJob {
  /** Each has another one. */
  readonly n: number;
  /** By the machine's clock, just before it was added. */
  readonly addedAtUs: number;
  readonly urgency?: Urgency;
  readonly padding: string;
}

/** What adds jobs. */
export interface JobSink {
  add(job: BenchJob): Promise<unknown>;
  addAll(jobs: readonly BenchJob[]): Promise<unknown>;
}

/** Jobs that one process adds: by callers in a closed loop, or so many in a second. */
export interface Production {
  readonly from: number;
  readonly count: number;
  readonly callers: number;
  /** How many one call adds. @default 1, by the method for one */
  readonly batch?: number;
  readonly perSecond?: number;
  readonly urgency?: Urgency;
}

/** What came of it; latencies are of a call. */
export interface Produced {
  readonly startedAtUs: number;
  readonly endedAtUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What a process has handled; latencies are from just before a job was added to its start. */
export interface Handled {
  readonly count: number;
  /** When the first and the last of those asked for were handled, by the machine's clock. */
  readonly firstAtUs: number;
  readonly lastAtUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const PADDING = 'x'.repeat(140);

export function jobOf(n: number, urgency?: Urgency): BenchJob {
  return { n, addedAtUs: machineUs(), padding: PADDING, ...(urgency && { urgency }) };
}

/** Adds jobs, and waits until the last is added. */
export async function produce(
  jobs: JobSink,
  { from, count, callers, batch, perSecond, urgency }: Production,
): Promise<Produced> {
  const latencies: number[] = [];
  const timed = async (add: () => Promise<unknown>) => {
    const calledAt = performance.now();
    await add();
    latencies.push(performance.now() - calledAt);
  };
  const startedAtUs = machineUs();
  if (perSecond === undefined) {
    const size = batch ?? 1;
    let next = from;
    const caller = async () => {
      while (next < from + count) {
        const ids = Array.from({ length: Math.min(size, from + count - next) }, () => next++);
        if (batch === undefined) await timed(() => jobs.add(jobOf(ids[0]!, urgency)));
        else await timed(() => jobs.addAll(ids.map((n) => jobOf(n, urgency))));
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
  } else {
    const calls: Promise<void>[] = [];
    for (let at = 0; at < count; at++) {
      const leftMs = (startedAtUs + (at * 1e6) / perSecond - machineUs()) / 1_000;
      if (leftMs > 0) await sleep(leftMs);
      calls.push(timed(() => jobs.add(jobOf(from + at, urgency))));
    }
    await Promise.all(calls);
  }
  const quantile = quantilesOf(latencies);
  return { startedAtUs, endedAtUs: machineUs(), p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}

/** The jobs that this process has handled: each has to come once. */
export class HandledJobs {
  readonly #doneAtUs: number[] = [];
  readonly #waitedMs: number[] = [];
  readonly #seen = new Set<number>();
  #twice = 0;
  #awaited: { readonly count: number; readonly resolve: () => void } | undefined;
  /** Called at the end of each job. */
  onEnd: (job: BenchJob, startedAtUs: number) => Promise<void> | void = () => {};

  constructor(private readonly holdMs: number) {}

  /** What a worker calls. */
  async handle(job: BenchJob): Promise<void> {
    const startedAtUs = machineUs();
    this.#waitedMs.push((startedAtUs - job.addedAtUs) / 1_000);
    if (this.holdMs > 0) await sleep(this.holdMs);
    if (this.#seen.has(job.n)) this.#twice++;
    this.#seen.add(job.n);
    await this.onEnd(job, startedAtUs);
    this.#doneAtUs.push(machineUs());
    if (this.#awaited && this.#doneAtUs.length >= this.#awaited.count) this.#awaited.resolve();
  }

  /**
   * Waits until so many were handled since the process opened, and tells of those after the first `from`.
   * @throws when they do not come in time, or come twice.
   */
  async until(from: number, count: number, withinMs: number): Promise<Handled> {
    if (this.#doneAtUs.length < count) {
      const come = new Promise<boolean>((resolve) => (this.#awaited = { count, resolve: () => resolve(true) }));
      const inTime = await Promise.race([come, sleep(withinMs, false, { ref: false })]);
      this.#awaited = undefined;
      if (!inTime) throw new Error(`handled ${this.#doneAtUs.length} of ${count} jobs within ${withinMs} ms`);
    }
    if (this.#twice > 0) throw new Error(`handled ${this.#twice} jobs twice`);
    const done = this.#doneAtUs.slice(from, count);
    const quantile = quantilesOf(this.#waitedMs.slice(from, count));
    return {
      count: this.#doneAtUs.length,
      firstAtUs: done[0] ?? NaN,
      lastAtUs: done.at(-1) ?? NaN,
      p50Ms: quantile(0.5),
      p99Ms: quantile(0.99),
    };
  }
}
