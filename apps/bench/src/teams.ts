import type { RedisServer } from '@roost/testing';
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

/**
 * Opens a contestant in all these processes on an empty Redis; it is closed after `use`.
 * @throws what one of them says is wrong with it.
 */
export async function withOpened<Result>(
  processes: readonly ContestantProcess[],
  { server, work }: { readonly server: RedisServer; readonly work: string },
  use: () => Promise<Result>,
): Promise<Result> {
  await server.command('FLUSHALL');
  const opened = await Promise.all(processes.map((each) => each.open({ redisUrl: server.url, work })));
  try {
    const problem = opened.find((each) => each.problem !== undefined)?.problem;
    if (problem !== undefined) throw new Error(problem);
    return await use();
  } finally {
    await Promise.all(processes.map((each) => each.close()));
  }
}
