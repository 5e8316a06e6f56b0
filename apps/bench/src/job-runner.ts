import { measureFairness, type FairnessSlice } from './fairness-slice.js';
import { measureJobs, type JobServers, type JobSlice } from './job-slice.js';
import { byTurns, SHORTEST_TO_COMPARE, type Row, type RunOptions } from './runner.js';
import type { FairnessScenario, JobScenario, TeamComparison } from './suites/suite.js';

const WARM_UP = { title: 'warm-up', measures: 'both', concurrency: 32 } as const;

/** Enough to show that everything works, where nothing is compared. */
const SMALL_BACKLOG = 300;

/** Runs the loads of jobs of a suite, its contestants by turns, each in two processes. */
export function runJobs(
  suite: string,
  comparison: TeamComparison<JobScenario>,
  servers: JobServers,
  { rounds, seconds, crew, progress }: RunOptions,
): Promise<Row<JobSlice>[]> {
  return crew.withTeams(comparison, async (teams) => {
    const rows: Row<JobSlice>[] = [];
    if (seconds >= SHORTEST_TO_COMPARE) {
      // What is wrong with one will be seen, and told, in the first round.
      for (const { processes } of teams) {
        const load = { ...WARM_UP, processes: processes.length };
        await measureJobs(processes, load, { ...servers, seconds }).catch(() => {});
      }
    }
    const { baseline } = comparison;
    for (const scenario of seconds < SHORTEST_TO_COMPARE ? oneOfEachKind(comparison) : comparison.scenarios) {
      progress(`${suite}: ${scenario.title}`);
      const measured = byTurns({ title: scenario.title, baseline, rounds }, teams, ({ processes }) =>
        measureJobs(processes, scenario, { ...servers, seconds }),
      );
      rows.push(...(await measured));
    }
    return rows;
  });
}

/** The scenarios that show that everything works: more would make nobody wiser, and each opens every queue anew. */
export function oneOfEachKind({ scenarios }: TeamComparison<JobScenario>): JobScenario[] {
  const kinds = new Map(scenarios.toReversed().map((each) => [each.measures, each]));
  return scenarios.filter((each) => kinds.get(each.measures) === each);
}

/** Runs the mixtures of a suite, its contestants by turns. */
export function runFairness(
  suite: string,
  comparison: TeamComparison<FairnessScenario>,
  servers: JobServers,
  { rounds, seconds, crew, progress }: RunOptions,
): Promise<Row<FairnessSlice>[]> {
  return crew.withTeams(comparison, async (teams) => {
    const rows: Row<FairnessSlice>[] = [];
    for (const scenario of comparison.scenarios) {
      progress(`${suite}: ${scenario.title}`);
      const backlog = seconds < SHORTEST_TO_COMPARE ? SMALL_BACKLOG : scenario.backlog;
      const turns = { title: scenario.title, baseline: comparison.baseline, rounds };
      const measured = byTurns(turns, teams, ({ processes }) =>
        measureFairness(processes, { ...scenario, backlog }, { ...servers, seconds }),
      );
      rows.push(...(await measured));
    }
    return rows;
  });
}
