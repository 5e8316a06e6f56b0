import { ContestantProcess } from './contestant-process.js';
import type { TeamComparison } from './suites/suite.js';

/** A contestant in several processes. */
export interface Team {
  readonly name: string;
  readonly processes: readonly ContestantProcess[];
}

/** Starts each contestant in as many processes as its largest scenario has; they end with `use`. */
export async function withTeams<Result>(
  { contestants, scenarios }: TeamComparison<{ readonly processes: number }>,
  use: (teams: readonly Team[]) => Promise<Result>,
): Promise<Result> {
  const most = Math.max(0, ...scenarios.map((each) => each.processes));
  const teams = contestants.map((name) => {
    return { name, processes: Array.from({ length: most }, () => new ContestantProcess(name)) };
  });
  try {
    return await use(teams);
  } finally {
    await Promise.all(teams.flatMap(({ processes }) => processes.map((each) => each.stop())));
  }
}
