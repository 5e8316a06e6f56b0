import type { RedisServer } from '@roost/testing';
import { ContestantProcess } from './contestant-process.js';
import { measureContention, warmUpContention, type ContentionSlice } from './contention-slice.js';
import { byTurns, SHORTEST_TO_COMPARE, type Row, type RunOptions } from './runner.js';
import type { ContentionComparison } from './suites/suite.js';

interface Team {
  readonly name: string;
  readonly processes: readonly ContestantProcess[];
}

/** Runs the loads of contenders of a suite, its contestants by turns, each in several processes. */
export async function runContention(
  suite: string,
  { contestants, baseline, scenarios }: ContentionComparison,
  server: RedisServer,
  { rounds, seconds, progress }: RunOptions,
): Promise<Row<ContentionSlice>[]> {
  const rows: Row<ContentionSlice>[] = [];
  const most = Math.max(0, ...scenarios.map((each) => each.processes));
  const teams: Team[] = [];
  try {
    for (const name of contestants) {
      teams.push({ name, processes: Array.from({ length: most }, () => new ContestantProcess(name)) });
    }
    // What is wrong with one will be seen, and told, in the first round.
    for (const { processes } of teams) await warmUpContention(processes, { server, seconds }).catch(() => {});
    for (const scenario of scenarios) {
      progress(`${suite}: ${scenario.title}`);
      const { title, processes: taking } = scenario;
      // Rivals go on for seconds until the last of many has had it.
      const contenders = seconds < SHORTEST_TO_COMPARE ? 2 * taking : scenario.contenders;
      const measured = byTurns({ title, baseline, rounds }, teams, ({ processes }) =>
        measureContention(processes.slice(0, taking), { ...scenario, contenders }, { server, seconds }),
      );
      rows.push(...(await measured));
    }
    return rows;
  } finally {
    await Promise.all(teams.flatMap(({ processes }) => processes.map((each) => each.stop())));
  }
}
