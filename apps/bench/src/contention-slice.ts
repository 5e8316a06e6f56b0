import type { RedisServer } from '@roost/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { quantilesOf } from './closed-loop.js';
import type { ContestantProcess } from './contestant-process.js';
import { machineUs, type Contended, type Contention, type Section } from './contention.js';
import { difference, isSent, readServer } from './server-meter.js';
import type { ContentionScenario } from './suites/suite.js';
import { withOpened } from './crew.js';

/** One contestant under one load of contenders, once. */
export interface ContentionSlice {
  /** Sections under the lock. */
  readonly perSecond: number;
  /** From when the lock is given back until the next one has it. */
  readonly handOverP50Ms: number;
  readonly handOverP99Ms: number;
  /** Also of those who never had it. */
  readonly longestWaitMs: number;
  /** Jain's index over the sections of each contender: 1 when all had it as often, 1/n when one had it alone. */
  readonly fairness: number;
  /** The time a burst took as a multiple of all its holds, one after the other. */
  readonly totalByHolds: number;
  /** What clients sent, per section, where they go on asking; what scripts call in Redis is not among it. */
  readonly commands: number;
  readonly clientCpuUs: number;
  readonly serverCpuUs: number;
}

/** Every process knows by then that it is to begin. */
const START_IN_US = 30_000;
/** What everybody asks at first is not what a section costs. */
const SETTLE_US = 100_000;
const LEAST_SECONDS = 0.3;
/** Who has not had it then in a burst, has not had it: so many times as long as a load is measured, and at most 3 s. */
const BURST_PATIENCE = 3;

/**
 * Opens the contestant in several processes on an empty Redis, counts commands in a load that is not timed, measures, and
 * closes it.
 * @throws when two had the lock at once.
 */
export async function measureContention(
  processes: readonly ContestantProcess[],
  { contenders, burst = false }: ContentionScenario,
  { server, seconds }: { readonly server: RedisServer; readonly seconds: number },
): Promise<ContentionSlice> {
  return withOpened(processes, { server, work: 'contended' }, async () => {
    const patience = Math.min(BURST_PATIENCE, Math.max(2 * LEAST_SECONDS, BURST_PATIENCE * seconds));
    const load = { contenders: contenders / processes.length, holdMs: HOLD_MS, burst };
    const counted = { ...load, seconds: Math.max(LEAST_SECONDS, seconds / 2) };
    const commands = burst ? NaN : await countCommands(processes, counted, server);
    const timed = { ...load, seconds: burst ? patience : Math.max(LEAST_SECONDS, seconds) };
    return { ...(await time(processes, timed, server)), commands };
  });
}

/** A load that nobody looks at: code is compiled while it runs, and a lock that is held for 5 ms runs little of it. */
export async function warmUpContention(
  processes: readonly ContestantProcess[],
  { server, seconds }: { readonly server: RedisServer; readonly seconds: number },
): Promise<void> {
  await server.command('FLUSHALL');
  await Promise.all(processes.map((each) => each.open({ redisUrl: server.url, work: 'contended' })));
  for (const each of processes) await each.loop(WARM_UP_CONTENDERS, seconds / 2);
  const startAtUs = machineUs() + START_IN_US;
  const load = { contenders: WARM_UP_CONTENDERS, holdMs: 0, startAtUs, seconds: seconds / 2, burst: false };
  await Promise.all(processes.map((each) => each.contend(load)));
  await Promise.all(processes.map((each) => each.close()));
}

const WARM_UP_CONTENDERS = 8;
/** How long each holds the lock. */
const HOLD_MS = 5;

type Load = Omit<Contention, 'startAtUs'>;

/** Only MONITOR tells what a client sent from what a script called; the server pays for it, so that nothing is timed. */
async function countCommands(processes: readonly ContestantProcess[], load: Load, server: RedisServer) {
  const monitor = await server.monitor();
  try {
    const startAtUs = machineUs() + START_IN_US;
    const running = Promise.all(processes.map((each) => each.contend({ ...load, startAtUs })));
    const [fromUs, toUs] = [startAtUs + SETTLE_US, startAtUs + load.seconds * 1e6];
    await sleepUntil(fromUs);
    const before = monitor.lines.length;
    await sleepUntil(toUs);
    const sent = monitor.lines.slice(before).filter(isSent).length;
    const sections = sectionsOf(await running).filter((each) => isWithin(each.releasedAtUs, fromUs, toUs));
    return sent / sections.length;
  } finally {
    monitor.stop();
  }
}

async function time(
  processes: readonly ContestantProcess[],
  load: Load,
  server: RedisServer,
): Promise<Omit<ContentionSlice, 'commands'>> {
  const before = await readServer(server);
  const startAtUs = machineUs() + START_IN_US;
  const running = Promise.all(processes.map((each) => each.contend({ ...load, startAtUs })));
  const endsAtUs = startAtUs + load.seconds * 1e6;
  if (load.burst) await running;
  else await sleepUntil(endsAtUs);
  const work = difference(before, await readServer(server));
  const contended = await running;
  return {
    ...figures(contended, { startAtUs, endsAtUs, contenders: load.contenders * processes.length, burst: load.burst }),
    ...perSection(contended, work.cpuUs),
  };
}

interface Window {
  readonly startAtUs: number;
  readonly endsAtUs: number;
  readonly contenders: number;
  readonly burst: boolean;
}

/** What came of the sections of all processes. @throws when two of them overlap. */
export function figures(contended: readonly Contended[], { startAtUs, endsAtUs, contenders, burst }: Window) {
  const sections = sectionsOf(contended);
  const handOvers: number[] = [];
  for (const [index, { grantedAtUs }] of sections.entries()) {
    const previous = sections[index - 1];
    if (previous === undefined) continue;
    if (grantedAtUs < previous.releasedAtUs) throw new Error('two had the lock at once');
    handOvers.push((grantedAtUs - previous.releasedAtUs) / 1_000);
  }
  const waits = [
    ...sections.map((each) => each.grantedAtUs - each.askedAtUs),
    ...contended.flatMap((each) => each.waitingSinceUs.map((since) => endsAtUs - since)),
  ];
  const lastUs = sections.at(-1)?.releasedAtUs ?? NaN;
  const tookUs = (burst ? lastUs : endsAtUs) - startAtUs;
  const heldUs = sections.reduce((sum, each) => sum + each.releasedAtUs - each.grantedAtUs, 0);
  const all = sections.length === contenders;
  const handOver = quantilesOf(handOvers);
  return {
    perSecond: sections.length / (tookUs / 1e6),
    handOverP50Ms: handOver(0.5),
    handOverP99Ms: handOver(0.99),
    longestWaitMs: waits.reduce((most, each) => Math.max(most, each), 0) / 1_000,
    fairness: burst ? NaN : jain(contended, contenders),
    totalByHolds: burst && all ? tookUs / heldUs : burst ? Infinity : NaN,
  };
}

/** Jain, Chiu, Hawe 1984: (Σx)² / (n Σx²). */
function jain(contended: readonly Contended[], contenders: number): number {
  const counts = contended.flatMap(({ sections }) => {
    const perContender = new Map<number, number>();
    for (const { contender } of sections) perContender.set(contender, (perContender.get(contender) ?? 0) + 1);
    return [...perContender.values()];
  });
  const sum = counts.reduce((total, each) => total + each, 0);
  const squares = counts.reduce((total, each) => total + each ** 2, 0);
  return sum ** 2 / (contenders * squares);
}

function perSection(contended: readonly Contended[], serverCpuUs: number) {
  const sections = sectionsOf(contended).length;
  const clientCpuUs = contended.reduce((sum, each) => sum + each.cpuUs, 0);
  return { clientCpuUs: clientCpuUs / sections, serverCpuUs: serverCpuUs / sections };
}

function sectionsOf(contended: readonly Contended[]): Section[] {
  return contended.flatMap((each) => each.sections).toSorted((a, b) => a.grantedAtUs - b.grantedAtUs);
}

function isWithin(us: number, fromUs: number, toUs: number): boolean {
  return us >= fromUs && us <= toUs;
}

async function sleepUntil(us: number): Promise<void> {
  const leftMs = (us - machineUs()) / 1_000;
  if (leftMs > 0) await sleep(leftMs);
}
