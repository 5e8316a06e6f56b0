import type { ContestantProcess } from './contestant-process.js';
import { withQueue, type JobServers } from './job-slice.js';
import { median } from './statistics.js';
import type { FairnessScenario } from './suites/suite.js';

/** Urgent jobs before a backlog of others, once. */
export interface FairnessSlice {
  /** Jobs handled while urgent ones always wait, of both kinds. */
  readonly perSecond: number;
  /** From just before an urgent job was added to its start, with all the backlog waiting. */
  readonly highStartMs: number;
  readonly highStartWorstMs: number;
  /** Of those handled while urgent ones always wait: how many in a hundred were not urgent. */
  readonly lowPercent: number;
}

const CONCURRENCY = 8;
/** How long a job takes: the backlog has to last. */
const HOLD_MS = 2;
const AT_ONCE = 500;
const HIGHS = { highs: 20, everyMs: 10, pressure: 64 };

export async function measureFairness(
  [adder, worker]: readonly ContestantProcess[],
  scenario: FairnessScenario,
  { seconds, ...servers }: JobServers & { readonly seconds: number },
): Promise<FairnessSlice> {
  const backlog = Math.min(scenario.backlog, Math.ceil(scenario.backlog * seconds));
  return withQueue([adder!, worker!], servers, async (open) => {
    await open(adder!, 0);
    await adder!.produce({ from: 0, count: backlog, callers: 1, batch: AT_ONCE, urgency: 'low' });
    await open(worker!, CONCURRENCY, HOLD_MS);
    const { startMs, highs, lows } = await worker!.mix({ ...HIGHS, from: backlog, seconds });
    return {
      perSecond: (highs + lows) / seconds,
      highStartMs: median(startMs),
      highStartWorstMs: Math.max(...startMs),
      lowPercent: (100 * lows) / (highs + lows),
    };
  });
}
