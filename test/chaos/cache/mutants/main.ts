import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeMutant } from '../../mutant.js';
import { table } from '../../results.js';
import { tell } from '../report.js';
import { results } from '../results.js';
import { type Outcome, run } from '../run.js';
import { type Mutant, mutants } from './mutants.js';

const SEED = 1;
/** A mutant that lives longer was not noticed. */
const LONGEST_S = 30;

interface Trial {
  readonly mutant: Mutant;
  readonly outcome: Outcome;
  /** Whether the same plan passes without the edits; undefined when that was not tried. */
  readonly sound: boolean | undefined;
}

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { write: { type: 'boolean', default: false }, 'skip-sound': { type: 'boolean', default: false } },
  });
  const wanted = positionals.length === 0 ? mutants : mutants.filter(({ name }) => positionals.includes(name));
  if (wanted.length < positionals.length) throw new Error(`Known: ${mutants.map(({ name }) => name).join(' ')}`);
  // Texts that are not found are found out before anything takes time.
  const entries = new Map<Mutant, string>(wanted.map((mutant) => [mutant, make(mutant)]));
  const sound = make({ name: 'sound', edits: [] });

  const trials: Trial[] = [];
  for (const mutant of wanted) {
    process.stdout.write(`\n${mutant.name}: ${mutant.what}\n`);
    const { climate } = mutant;
    const outcome = await run({
      seed: SEED,
      seconds: LONGEST_S,
      entry: entries.get(mutant)!,
      climate,
      mostViolations: 1,
    });
    process.stdout.write(`mutated, ${tell(outcome)}\n`);
    trials.push({ mutant, outcome, sound: values['skip-sound'] ? undefined : await passes(outcome, mutant, sound) });
  }
  const found = toTable(trials);
  process.stdout.write(`\n${found}\n`);
  if (values.write) results.save('mutants', `npm run chaos:cache:mutants -- ${args.join(' ')}`, found);
  if (trials.some(({ outcome, sound: well }) => outcome.violations.length === 0 || well === false))
    process.exitCode = 1;
}

/** The worker to start. */
function make({ name, edits }: Pick<Mutant, 'name' | 'edits'>): string {
  return join(makeMutant({ lib: 'cache', name, edits }), 'cache/worker/main.js');
}

async function passes({ seconds }: Outcome, { climate }: Mutant, entry: string): Promise<boolean> {
  const outcome = await run({ seed: SEED, seconds: Math.max(10, 2 * seconds), entry, climate });
  process.stdout.write(`unmutated, ${tell(outcome)}\n`);
  return outcome.violations.length === 0;
}

function toTable(trials: readonly Trial[]): string {
  const head = ['mutant', 'what is broken', 'noticed', 'by', 'rounds', 'after', 'the same plan unmutated'];
  const rows = trials.map(({ mutant, outcome: { violations, rounds, seconds }, sound }) => {
    const kinds = [...new Set(violations.map(({ check }) => check))].join(', ');
    const told = sound === undefined ? 'not tried' : sound ? 'passes' : '**fails**';
    const noticed = violations.length > 0 ? 'yes' : '**no**';
    return [mutant.name, mutant.what, noticed, kinds, String(rounds), `${seconds.toFixed(1)} s`, told];
  });
  return table(head, rows);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
