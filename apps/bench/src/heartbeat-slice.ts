import type { RedisServer } from '@roost/testing';
import type { ContestantProcess } from './contestant-process.js';
import { withOpened } from './crew.js';
import { byTurns, medianOf, type Row, type RunOptions } from './runner.js';
import { difference, readServer } from './server-meter.js';
import type { HeartbeatScenario, TeamComparison } from './suites/suite.js';

/** Users who are online, once. All figures are per second. */
export interface HeartbeatSlice {
  /** Signs of life. */
  readonly perSecond: number;
  /** Scripts, commands, and those inside scripts. */
  readonly commands: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly serverCpuUs: number;
  readonly clientCpuUs: number;
  /** Of what the baseline takes in the same round, without what an idle server takes. */
  readonly commandsPercent: number;
  readonly serverCpuPercent: number;
}

type Measured = Omit<HeartbeatSlice, 'commandsPercent' | 'serverCpuPercent'>;

/** Signs of life of processes are rare: a slice has to hold some. */
const TIMES_LONGER = 6;

/** Runs the users of a suite, its contestants by turns; `idle` is the contestant that does nothing. */
export function runHeartbeats(
  suite: string,
  heartbeats: TeamComparison<HeartbeatScenario> & { readonly idle: string },
  server: RedisServer,
  { rounds, seconds, crew, progress }: RunOptions,
): Promise<Row<HeartbeatSlice>[]> {
  return crew.withTeams(heartbeats, async (teams) => {
    const rows: Row<HeartbeatSlice>[] = [];
    for (const scenario of heartbeats.scenarios) {
      progress(`${suite}: ${scenario.title}`);
      const turns = { title: scenario.title, baseline: heartbeats.baseline, rounds };
      const measured = await byTurns(turns, teams, ({ processes }) =>
        measure(processes, scenario, { server, seconds }),
      );
      rows.push(...compared(measured, heartbeats));
    }
    return rows;
  });
}

async function measure(
  processes: readonly ContestantProcess[],
  { users, everyMs }: HeartbeatScenario,
  { server, seconds }: { readonly server: RedisServer; readonly seconds: number },
): Promise<Measured> {
  const each = Math.ceil((users * Math.min(1, seconds)) / processes.length);
  const load = { users: each, everyMs, seconds: seconds * TIMES_LONGER };
  return withOpened(processes, { server, work: 'online' }, async () => {
    const loadOf = (at: number) => ({ ...load, from: at * each });
    await Promise.all(processes.map((process, at) => process.arrive(loadOf(at))));
    const [before, startedAt] = [await readServer(server), performance.now()];
    const seen = await Promise.all(processes.map((process, at) => process.live(loadOf(at))));
    const work = difference(before, await readServer(server));
    const tookSeconds = (performance.now() - startedAt) / 1_000;
    await Promise.all(processes.map((process, at) => process.checkOnline(loadOf(at))));
    const total = (figure: 'beats' | 'cpuUs') => seen.reduce((sum, one) => sum + one[figure], 0) / tookSeconds;
    return {
      perSecond: total('beats'),
      commands: (work.scripts + work.commands) / tookSeconds,
      bytesIn: work.bytesIn / tookSeconds,
      bytesOut: work.bytesOut / tookSeconds,
      serverCpuUs: work.cpuUs / tookSeconds,
      clientCpuUs: total('cpuUs'),
    };
  });
}

/** Takes what the idle server took in the same round off, and compares with the baseline. */
function compared(
  rows: readonly Row<Measured>[],
  { baseline, idle }: { readonly baseline: string; readonly idle: string },
): Row<HeartbeatSlice>[] {
  const roundsOf = (name: string) => rows.find(({ contestant }) => contestant === name)?.rounds ?? [];
  const [bases, idles] = [roundsOf(baseline), roundsOf(idle)];
  return rows.map((row) => {
    if (row.slice === undefined) return { ...row, slice: undefined, rounds: [] };
    const rounds = row.rounds.map((own, round): HeartbeatSlice => {
      const net = (slice: Measured | undefined, figure: keyof Measured) =>
        (slice?.[figure] ?? NaN) - (row.contestant === idle ? 0 : (idles[round]?.[figure] ?? NaN));
      const percent = (figure: keyof Measured) => (100 * net(own, figure)) / net(bases[round], figure);
      return {
        ...own,
        bytesIn: net(own, 'bytesIn'),
        bytesOut: net(own, 'bytesOut'),
        serverCpuUs: net(own, 'serverCpuUs'),
        commandsPercent: percent('commands'),
        serverCpuPercent: percent('serverCpuUs'),
      };
    });
    return { ...row, rounds, slice: medianOf(rounds) };
  });
}
