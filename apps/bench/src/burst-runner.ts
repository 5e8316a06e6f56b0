import type { RedisServer } from '@roost/testing';
import { measureBursts, type BurstSlice } from './burst-slice.js';
import { ContestantProcess } from './contestant-process.js';
import { byTurns, type Row, type RunOptions } from './runner.js';
import type { BurstComparison } from './suites/suite.js';

/** Runs the bursts of a suite, its contestants by turns, each in several processes. */
export async function runBursts(
  suite: string,
  { contestants, baseline, scenarios }: BurstComparison,
  server: RedisServer,
  { rounds, seconds, progress }: RunOptions,
): Promise<Row<BurstSlice>[]> {
  const rows: Row<BurstSlice>[] = [];
  const most = Math.max(0, ...scenarios.map((each) => each.processes));
  const teams = contestants.map((name) => ({
    name,
    processes: Array.from({ length: most }, () => new ContestantProcess(name)),
  }));
  try {
    for (const scenario of scenarios) {
      progress(`${suite}: ${scenario.title}`);
      const { title, processes: taking } = scenario;
      const measured = byTurns({ title, baseline, rounds }, teams, ({ processes }) =>
        measureBursts(processes.slice(0, taking), scenario, { server, seconds }),
      );
      rows.push(...(await measured));
    }
    return rows;
  } finally {
    await Promise.all(teams.flatMap(({ processes }) => processes.map((each) => each.stop())));
  }
}
