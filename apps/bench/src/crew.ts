import type { RedisServer } from '@roost/testing';
import { Child, ContestantProcess } from './contestant-process.js';

/** A contestant in several processes. */
export interface Team {
  readonly name: string;
  readonly processes: readonly ContestantProcess[];
}

interface Compared {
  readonly contestants: readonly string[];
  readonly scenarios: readonly { readonly title: string; readonly processes?: number }[];
}

/** The processes of a run. */
export class Crew {
  readonly #kept = new Map<number, Child>();

  /**
   * @param brief whether it is only to be seen that everything works: contestants that are opened one after the other then
   *   share processes, which spares starting a hundred of them, and is fair to nobody
   */
  constructor(private readonly brief: boolean) {}

  /** Gives each contestant as many processes as the largest scenario has; unless the run is brief, they end with `use`. */
  async withTeams<Result>(
    { contestants, scenarios }: Compared,
    use: (teams: readonly Team[]) => Promise<Result>,
  ): Promise<Result> {
    const most = Math.max(...scenarios.map(({ processes = 1 }) => processes));
    const teams = contestants.map((name) => {
      return { name, processes: Array.from({ length: most }, (_, place) => this.take(name, place)) };
    });
    try {
      return await use(teams);
    } finally {
      await this.release(teams.flatMap(({ processes }) => processes));
    }
  }

  /** A process for a contestant: of those that are open at once, each has another place. */
  take(name: string, place: number): ContestantProcess {
    const kept = this.#kept.get(place);
    const child = kept?.running ? kept : new Child();
    if (this.brief) this.#kept.set(place, child);
    return new ContestantProcess(name, child, this.brief);
  }

  async release(processes: readonly ContestantProcess[]): Promise<void> {
    if (!this.brief) await Promise.all(processes.map((each) => each.stop()));
  }

  /** Ends those that are shared. */
  async end(): Promise<void> {
    await Promise.all([...this.#kept.values()].map((each) => each.stop()));
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
