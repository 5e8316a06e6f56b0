import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeMutant } from '../../mutant.js';
import { tryMutants } from '../../mutant-trials.js';
import { tell } from '../report.js';
import { results } from '../results.js';
import { type Outcome, run } from '../run.js';
import type { Mutant } from './mutant.js';
import { mutants } from './mutants.js';

const SEEDS = [1, 2, 3];
/** A mutant that lives longer was not noticed. */
const LONGEST_S = 180;

tryMutants<Mutant>({
  mutants,
  make: (mutant) => {
    const { name, edits } = mutant ?? { name: 'sound', edits: [] };
    return join(makeMutant({ lib: 'lock', name, edits }), 'locks/worker/main.js');
  },
  async attempt(mutant, entry, sound) {
    const since = performance.now();
    const elapsed = () => (performance.now() - since) / 1_000;
    let noticed: Outcome | undefined;
    let seed = SEEDS[0]!;
    for (const each of SEEDS) {
      seed = each;
      const outcome = await once('mutated', mutant, seed, entry);
      if (outcome.violations.length > 0) noticed = outcome;
      if (noticed || elapsed() > LONGEST_S) break;
    }
    const seconds = elapsed();
    return {
      noticed: noticed !== undefined && seconds <= LONGEST_S,
      by: noticed?.violations.map(({ check }) => check) ?? [],
      cells: { seed: String(noticed?.seed ?? ''), after: `${Math.round(seconds)} s` },
      soundPasses: async () => (await once('unmutated', mutant, seed, sound)).violations.length === 0,
    };
  },
  save: (args, found) => results.save('mutants', `npm run chaos:locks:mutants -- ${args}`, found),
});

/** One run; the history of one that failed is kept. */
async function once(kind: string, mutant: Mutant, seed: number, entry: string): Promise<Outcome> {
  const outcome = await run({ ...mutant, seed, entry, lanes: (workers) => mutant.lanes(seed, workers) });
  process.stdout.write(`${kind}, ${tell(outcome)}\n`);
  if (outcome.violations.length === 0) rmSync(outcome.dir, { recursive: true });
  return outcome;
}
