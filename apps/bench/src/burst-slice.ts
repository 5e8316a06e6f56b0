import type { RedisServer } from '@roost/testing';
import type { ContestantProcess } from './contestant-process.js';
import { machineUs } from './contention.js';
import { difference, readServer } from './server-meter.js';
import { median } from './statistics.js';
import type { BurstScenario } from './suites/suite.js';
import { withOpened } from './crew.js';

/** One contestant under bursts of callers of one cold key each, once. */
export interface BurstSlice {
  /** Callers served, of all the time that they waited. */
  readonly perSecond: number;
  /** Until all callers of a key had its value; in the middle and at worst. */
  readonly servedMs: number;
  readonly servedWorstMs: number;
  /** How often the origin was asked for one key; on average and at worst. */
  readonly originCalls: number;
  readonly originCallsWorst: number;
  /** Per key; those inside scripts too. */
  readonly scripts: number;
  readonly commands: number;
  readonly serverCpuUs: number;
}

/** Every process knows by then that it is to begin. */
const START_IN_US = 20_000;
/** How long the origin takes. */
const ORIGIN_MS = 20;
const BYTES = 200;
/** Bursts that nobody looks at: code is compiled while it runs. */
const WARM_UP = 3;
/** How many keys are measured in a second that a slice takes; each takes its start and its origin. */
const PER_SECOND = 10;

/**
 * Opens the contestant in several processes on an empty Redis, measures bursts of one cold key after the other, and closes it.
 * @throws when somebody got another value than that of the origin.
 */
export async function measureBursts(
  processes: readonly ContestantProcess[],
  { callers }: BurstScenario,
  { server, seconds }: { readonly server: RedisServer; readonly seconds: number },
): Promise<BurstSlice> {
  return withOpened(processes, { server, work: `near burst ${BYTES}` }, async () => {
    const bursts = Math.max(1, Math.round(PER_SECOND * seconds));
    const each = { callers: callers / processes.length, originMs: ORIGIN_MS, bytes: BYTES };
    for (let at = 0; at < Math.min(WARM_UP, bursts); at++) await once(processes, { ...each, key: `warm-up:${at}` });

    const before = await readServer(server);
    const seen: Seen[] = [];
    while (seen.length < bursts) seen.push(await once(processes, { ...each, key: `cold:${seen.length}` }));
    const work = difference(before, await readServer(server));

    const took = seen.map(({ servedMs }) => servedMs);
    const calls = seen.map(({ originCalls }) => originCalls);
    return {
      perSecond: (callers * bursts * 1_000) / sum(took),
      servedMs: median(took),
      servedWorstMs: Math.max(...took),
      originCalls: sum(calls) / bursts,
      originCallsWorst: Math.max(...calls),
      scripts: work.scripts / bursts,
      commands: work.commands / bursts,
      serverCpuUs: work.cpuUs / bursts,
    };
  });
}

interface Seen {
  readonly servedMs: number;
  readonly originCalls: number;
}

/** All callers of all processes want one key at the same time. */
async function once(
  processes: readonly ContestantProcess[],
  load: Omit<Parameters<ContestantProcess['burst']>[0], 'startAtUs'>,
): Promise<Seen> {
  const startAtUs = machineUs() + START_IN_US;
  const seen = await Promise.all(processes.map((each) => each.burst({ ...load, startAtUs })));
  const wrong = sum(seen.map((each) => each.wrong));
  if (wrong > 0) throw new Error(`${wrong} callers got what the origin had not given`);
  const servedAtUs = Math.max(...seen.map((each) => each.servedAtUs));
  return { servedMs: (servedAtUs - startAtUs) / 1_000, originCalls: sum(seen.map((each) => each.originCalls)) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
