/** What a loop saw from inside its process. */
export interface LoopResult {
  readonly operations: number;
  /** Answers that were not the right ones. */
  readonly wrong: number;
  readonly failure: string | undefined;
  readonly seconds: number;
  readonly cpuUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** One operation in so many is timed: reading the clock costs as much as the fastest of them. */
const SAMPLE = 8;

/** Keeps a number of operations under way for a time, and waits for the last of them. */
export async function closedLoop(
  operate: (index: number) => Promise<boolean>,
  { concurrency, seconds }: { readonly concurrency: number; readonly seconds: number },
): Promise<LoopResult> {
  const latencies: number[] = [];
  let [next, operations, wrong, running] = [0, 0, 0, true];
  let failure: string | undefined;
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1_000;

  const worker = async () => {
    while (running) {
      const index = next++;
      const sampled = index % SAMPLE === 0;
      const askedAt = sampled ? performance.now() : 0;
      if (!(await operate(index))) wrong++;
      operations++;
      if (!sampled) continue;
      const now = performance.now();
      latencies.push(now - askedAt);
      if (now >= endsAt) running = false;
    }
  };
  const workers = Array.from({ length: concurrency }, () =>
    worker().catch((error: Error) => {
      failure ??= error.message;
      running = false;
    }),
  );
  await Promise.all(workers);

  const took = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const quantile = quantilesOf(latencies);
  return {
    operations,
    wrong,
    failure,
    seconds: took,
    cpuUs: user + system,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  };
}

/** The latency that a share of the samples stayed within. */
export function quantilesOf(samples: readonly number[]): (share: number) => number {
  const sorted = Float64Array.from(samples).sort();
  return (share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}
