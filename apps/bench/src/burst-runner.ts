import type { RedisServer } from '@roost/testing';
import { measureBursts, type BurstSlice } from './burst-slice.js';
import { byTurns, type Row, type RunOptions } from './runner.js';
import type { BurstScenario, TeamComparison } from './suites/suite.js';

/** Runs the bursts of a suite, its contestants by turns, each in several processes. */
export function runBursts(
  suite: string,
  bursts: TeamComparison<BurstScenario>,
  server: RedisServer,
  { rounds, seconds, crew, progress }: RunOptions,
): Promise<Row<BurstSlice>[]> {
  return crew.withTeams(bursts, async (teams) => {
    const rows: Row<BurstSlice>[] = [];
    for (const scenario of bursts.scenarios) {
      progress(`${suite}: ${scenario.title}`);
      const turns = { title: scenario.title, baseline: bursts.baseline, rounds };
      const measured = byTurns(turns, teams, ({ processes }) =>
        measureBursts(processes.slice(0, scenario.processes), scenario, { server, seconds }),
      );
      rows.push(...(await measured));
    }
    return rows;
  });
}
