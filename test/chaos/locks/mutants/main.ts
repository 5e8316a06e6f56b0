import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeMutant } from '../../mutant.js';
import { table } from '../../results.js';
import { tell } from '../report.js';
import { results } from '../results.js';
import { type Outcome, run } from '../run.js';
import type { Mutant } from './mutant.js';
import { mutants } from './mutants.js';

const SEEDS = [1, 2, 3];
/** A mutant that lives longer was not noticed. */
const LONGEST_S = 180;

interface Trial {
  readonly mutant: Mutant;
  /** Whether the same plan passes without the edits. */
  readonly sound: 'yes' | 'no' | 'untried';
  readonly noticed: Outcome | undefined;
  readonly seconds: number;
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
  for (const mutant of wanted)
    trials.push(await attempt(mutant, entries.get(mutant)!, values['skip-sound'] ? undefined : sound));
  const found = toTable(trials);
  process.stdout.write(`\n${found}\n`);
  if (values.write) results.save('mutants', `npm run chaos:locks:mutants -- ${args.join(' ')}`, found);
  if (trials.some((trial) => !isNoticed(trial) || trial.sound === 'no')) process.exitCode = 1;
}

async function attempt(mutant: Mutant, entry: string, sound: string | undefined): Promise<Trial> {
  process.stdout.write(`\n${mutant.name}: ${mutant.what}\n`);
  const since = performance.now();
  const elapsed = () => (performance.now() - since) / 1_000;
  let noticed: Outcome | undefined;
  let seed = SEEDS[0]!;
  for (const each of SEEDS) {
    seed = each;
    const outcome = await once(mutant, seed, entry);
    process.stdout.write(`mutated, ${tell(outcome)}\n`);
    if (outcome.violations.length > 0) noticed = outcome;
    else rmSync(outcome.dir, { recursive: true });
    if (noticed || elapsed() > LONGEST_S) break;
  }
  const seconds = elapsed();
  let passes: Trial['sound'] = 'untried';
  if (sound) {
    const outcome = await once(mutant, seed, sound);
    process.stdout.write(`unmutated, ${tell(outcome)}\n`);
    passes = outcome.violations.length === 0 ? 'yes' : 'no';
    if (passes === 'yes') rmSync(outcome.dir, { recursive: true });
  }
  return { mutant, sound: passes, noticed, seconds };
}

/** The worker to start. */
function make({ name, edits }: Pick<Mutant, 'name' | 'edits'>): string {
  return join(makeMutant({ lib: 'lock', name, edits }), 'locks/worker/main.js');
}

function once(mutant: Mutant, seed: number, entry: string): Promise<Outcome> {
  return run({ ...mutant, seed, entry, lanes: (workers) => mutant.lanes(seed, workers) });
}

function toTable(trials: readonly Trial[]): string {
  const head = ['mutant', 'what is broken', 'noticed', 'by', 'seed', 'after', 'the same plan unmutated'];
  const rows = trials.map(({ mutant, noticed, seconds, sound }) => {
    const kinds = [...new Set(noticed?.violations.map(({ check }) => check))].join(', ');
    const seen = isNoticed({ noticed, seconds }) ? 'yes' : '**no**';
    const passes = { yes: 'passes', no: '**fails**', untried: 'not tried' }[sound];
    return [mutant.name, mutant.what, seen, kinds, String(noticed?.seed ?? ''), `${Math.round(seconds)} s`, passes];
  });
  return table(head, rows);
}

function isNoticed({ noticed, seconds }: Pick<Trial, 'noticed' | 'seconds'>): boolean {
  return noticed !== undefined && seconds <= LONGEST_S;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
