import type { RedisServer } from '@roost/testing';
import { measureContention, warmUpContention, type ContentionSlice } from './contention-slice.js';
import { byTurns, SHORTEST_TO_COMPARE, type Row, type RunOptions } from './runner.js';
import type { ContentionScenario, TeamComparison } from './suites/suite.js';

/** Runs the loads of contenders of a suite, its contestants by turns, each in several processes. */
export function runContention(
  suite: string,
  contention: TeamComparison<ContentionScenario>,
  server: RedisServer,
  { rounds, seconds, crew, progress }: RunOptions,
): Promise<Row<ContentionSlice>[]> {
  return crew.withTeams(contention, async (teams) => {
    const rows: Row<ContentionSlice>[] = [];
    const compares = seconds >= SHORTEST_TO_COMPARE;
    // What is wrong with one will be seen, and told, in the first round.
    for (const { processes } of compares ? teams : []) {
      await warmUpContention(processes, { server, seconds }).catch(() => {});
    }
    for (const scenario of contention.scenarios) {
      progress(`${suite}: ${scenario.title}`);
      const { title, processes: taking } = scenario;
      // Rivals go on for seconds until the last of many has had it.
      const contenders = compares ? scenario.contenders : Math.max(2, taking);
      const measured = byTurns({ title, baseline: contention.baseline, rounds }, teams, ({ processes }) =>
        measureContention(processes.slice(0, taking), { ...scenario, contenders }, { server, seconds }),
      );
      rows.push(...(await measured));
    }
    return rows;
  });
}
