import { RedisServer } from '@roost/testing';
import type { ContestantProcess } from './contestant-process.js';
import type { Crew } from './crew.js';
import { measure, type Servers, type Slice } from './slice.js';
import { median, rotated } from './statistics.js';
import { outage } from './suites/outage.js';
import type { Comparison, Scenario, Suite } from './suites/suite.js';

export interface RunOptions {
  readonly rounds: number;
  /** How long a slice is measured. */
  readonly seconds: number;
  /** How long an answer is waited for while Redis is frozen. */
  readonly patienceSeconds: number;
  readonly crew: Crew;
  readonly progress: (line: string) => void;
}

/** What was measured of a contestant in one round; all of it numbers. */
export interface Rated {
  readonly perSecond: number;
}

/** Medians over all rounds, or what is wrong. */
export interface Row<Figures extends Rated = Slice> {
  readonly scenario: string;
  readonly contestant: string;
  readonly slice: Figures | undefined;
  /** What the median is of, by round. */
  readonly rounds: readonly Figures[];
  /** How often as fast as the baseline of the same round; median, least and most. */
  readonly ratio: readonly [middle: number, least: number, most: number];
  readonly problem: string | undefined;
}

/** Milliseconds until the first, second and sixth answer; null when there was none in time. */
export interface OutageRow {
  readonly contestant: string;
  readonly answers: readonly (number | null)[];
}

/** Slices as short as this show that everything works, and compare nothing. */
export const SHORTEST_TO_COMPARE = 0.1;

/** Runs the comparisons of a suite, its contestants by turns. */
export async function runSuite(suite: Suite, servers: Servers, options: RunOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const comparison of suite.comparisons) {
    await options.crew.withTeams(comparison, async (teams) => {
      const processes = teams.flatMap((each) => each.processes);
      await warmUp(comparison, processes, servers, options);
      for (const scenario of comparison.scenarios) {
        options.progress(`${suite.name}: ${scenario.title}`);
        rows.push(...(await compare(comparison, scenario, processes, servers, options)));
      }
    });
  }
  return rows;
}

/** One slice of each that nobody looks at: their code is compiled while it runs. */
async function warmUp(
  comparison: Comparison,
  processes: readonly ContestantProcess[],
  servers: Servers,
  { seconds }: RunOptions,
): Promise<void> {
  const { scenarios } = comparison;
  if (seconds < SHORTEST_TO_COMPARE) return;
  const busiest = scenarios.reduce((most, each) => (each.concurrency > most.concurrency ? each : most));
  for (const each of processes) {
    // What is wrong with it will be seen, and told, in the first round.
    await measure(each, busiest, comparison, { ...servers, seconds: seconds / 2 }).catch(() => {});
  }
}

async function compare(
  comparison: Comparison,
  scenario: Scenario,
  processes: readonly ContestantProcess[],
  servers: Servers,
  { rounds, seconds }: RunOptions,
): Promise<Row[]> {
  const taking = processes.filter(({ name }) => !scenario.without?.includes(name));
  const { title, baseline = comparison.baseline } = scenario;
  return byTurns({ title, baseline, rounds }, taking, (contestant) =>
    measure(contestant, scenario, comparison, { ...servers, seconds }),
  );
}

interface Turns {
  readonly title: string;
  readonly baseline: string;
  readonly rounds: number;
}

/** Measures everybody once a round, each round begun by another one; who has failed is left out from then on. */
export async function byTurns<Taking extends { readonly name: string }, Figures extends Rated>(
  { title, baseline, rounds }: Turns,
  taking: readonly Taking[],
  measureOne: (each: Taking) => Promise<Figures>,
): Promise<Row<Figures>[]> {
  const slices = new Map<string, Figures[]>(taking.map(({ name }) => [name, []]));
  const problems = new Map<string, string>();
  for (let round = 0; round < rounds; round++) {
    for (const each of rotated(taking, round)) {
      const { name } = each;
      if (problems.has(name)) continue;
      try {
        slices.get(name)!.push(await measureOne(each));
      } catch (error) {
        problems.set(name, (error as Error).message);
      }
    }
  }
  const base = slices.get(baseline)!;
  return taking.map(({ name: contestant }) => {
    const own = slices.get(contestant)!;
    const ratios = own.map((slice, round) => slice.perSecond / (base[round]?.perSecond ?? NaN));
    const problem = problems.get(contestant);
    return {
      scenario: title,
      contestant,
      slice: problem === undefined ? medianOf(own) : undefined,
      rounds: problem === undefined ? own : [],
      ratio: [median(ratios), Math.min(...ratios), Math.max(...ratios)],
      problem,
    };
  });
}

/** Freezes Redis under all contestants at once, each round with contestants that were just opened. */
export async function runOutage(server: RedisServer, options: RunOptions): Promise<OutageRow[]> {
  const rounds: (number | null)[][][] = [];
  const processes = outage.contestants.map((name, place) => options.crew.take(name, place));
  try {
    for (let round = 0; round < options.rounds; round++) {
      options.progress(`outage: round ${round + 1}`);
      for (const each of processes) {
        await server.command('FLUSHALL');
        const { problem } = await each.open({ redisUrl: server.url, work: 'uniform' });
        if (problem !== undefined) throw new Error(`${each.name}: ${problem}`);
      }
      server.freeze();
      try {
        rounds.push(await Promise.all(processes.map((each) => each.ask(6, options.patienceSeconds * 1_000))));
      } finally {
        server.thaw();
      }
      for (const each of processes) await each.close();
    }
  } finally {
    await options.crew.release(processes);
  }
  return outage.contestants.map((contestant, index) => ({
    contestant,
    answers: [0, 1, 5].map((at) => middleAnswer(rounds.map((answers) => answers[index]?.[at] ?? null))),
  }));
}

/** Of each figure. */
export function medianOf<Figures extends Rated>(slices: readonly Figures[]): Figures {
  const names = Object.keys(slices[0]!) as (keyof Figures)[];
  const medians = names.map((name) => [name, median(slices.map((each) => each[name] as number))]);
  return Object.fromEntries(medians) as Figures;
}

function middleAnswer(answers: readonly (number | null)[]): number | null {
  const middle = median(answers.map((each) => each ?? Infinity));
  return Number.isFinite(middle) ? middle : null;
}
