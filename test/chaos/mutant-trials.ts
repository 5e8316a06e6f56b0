import { parseArgs } from 'node:util';
import { table } from './results.js';

/** What every mutant has. */
interface Named {
  readonly name: string;
  /** What is broken, as a reader of the results wants to know it. */
  readonly what: string;
}

/** What became of a mutant. */
interface Attempt {
  readonly noticed: boolean;
  /** The checks that noticed. */
  readonly by: readonly string[];
  /** More columns of the table, by their heads. */
  readonly cells: Readonly<Record<string, string>>;
  /** Whether the same plan passes without the edits. */
  readonly soundPasses: () => Promise<boolean>;
}

interface TrialsOptions<Mutant extends Named> {
  readonly mutants: readonly Mutant[];
  /** Copies and edits; without a mutant it only copies. Returns what `attempt` starts. */
  readonly make: (mutant: Mutant | undefined) => string;
  readonly attempt: (mutant: Mutant, entry: string, sound: string) => Promise<Attempt>;
  /** Keeps the table in the results. */
  readonly save: (args: string, found: string) => void;
}

interface Trial {
  readonly mutant: Named;
  readonly attempt: Attempt;
  /** Undefined when that was not tried. */
  readonly sound: boolean | undefined;
}

/** What a run came to, as far as a trial is about it. */
interface Judged {
  readonly seed: number;
  readonly seconds: number;
  readonly violations: readonly { readonly check: string }[];
}

/** Lets a mutant run by one seed after the other until it is noticed; the sound one then runs by the same seed. */
export async function attemptBySeeds(
  seeds: readonly number[],
  once: (kind: 'mutated' | 'unmutated', seed: number) => Promise<Judged>,
): Promise<Attempt> {
  let seconds = 0;
  for (const [index, each] of seeds.entries()) {
    const { seed, violations, ...outcome } = await once('mutated', each);
    seconds += outcome.seconds;
    if (violations.length === 0 && index < seeds.length - 1) continue;
    return {
      noticed: violations.length > 0,
      by: violations.map(({ check }) => check),
      cells: { seed: String(seed), after: `${Math.round(seconds)} s` },
      soundPasses: async () => (await once('unmutated', seed)).violations.length === 0,
    };
  }
  throw new Error('Expected at least one seed');
}

/**
 * The command `… [m1 m2 …] [--write] [--skip-sound]`: breaks one rule after the other, and fails when one is not noticed, or
 * when what noticed it does not pass without it.
 */
export function tryMutants<Mutant extends Named>(options: TrialsOptions<Mutant>): void {
  trials(process.argv.slice(2), options).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  });
}

async function trials<Mutant extends Named>(
  args: string[],
  { mutants, make, attempt, save }: TrialsOptions<Mutant>,
): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { write: { type: 'boolean', default: false }, 'skip-sound': { type: 'boolean', default: false } },
  });
  const wanted = positionals.length === 0 ? mutants : mutants.filter(({ name }) => positionals.includes(name));
  if (wanted.length < positionals.length) throw new Error(`Known: ${mutants.map(({ name }) => name).join(' ')}`);
  // Texts that are not found are found out before anything takes time.
  const entries = new Map<Mutant, string>(wanted.map((mutant) => [mutant, make(mutant)]));
  const soundEntry = make(undefined);

  const done: Trial[] = [];
  for (const mutant of wanted) {
    process.stdout.write(`\n${mutant.name}: ${mutant.what}\n`);
    const made = await attempt(mutant, entries.get(mutant)!, soundEntry);
    done.push({ mutant, attempt: made, sound: values['skip-sound'] ? undefined : await made.soundPasses() });
  }
  const found = toTable(done);
  process.stdout.write(`\n${found}\n`);
  if (values.write) save(args.join(' '), found);
  if (done.some(({ attempt: { noticed }, sound }) => !noticed || sound === false)) process.exitCode = 1;
}

function toTable(all: readonly Trial[]): string {
  const more = Object.keys(all[0]?.attempt.cells ?? {});
  const head = ['mutant', 'what is broken', 'noticed', 'by', ...more, 'the same plan unmutated'];
  const rows = all.map(({ mutant, attempt: { noticed, by, cells }, sound }) => {
    const told = sound === undefined ? 'not tried' : sound ? 'passes' : '**fails**';
    const kinds = [...new Set(by)].join(', ');
    return [mutant.name, mutant.what, noticed ? 'yes' : '**no**', kinds, ...more.map((each) => cells[each]!), told];
  });
  return table(head, rows);
}
