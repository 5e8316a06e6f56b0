import { join } from 'node:path';
import { makeMutant } from '../../mutant.js';
import { tryMutants } from '../../mutant-trials.js';
import { HASTE, HASTY_MS } from '../haste.js';
import { tell } from '../report.js';
import { results } from '../results.js';
import type { Outcome } from '../outcome.js';
import { run } from '../run.js';
import { type Mutant, mutants } from './mutants.js';

const SEEDS = [1, 2, 3];

tryMutants<Mutant>({
  mutants,
  make: (mutant) => {
    const { name, edits } = mutant ?? { name: 'sound', edits: [] };
    return join(makeMutant({ lib: 'presence', name, edits: [...HASTE, ...edits], service: true }), '..');
  },
  async attempt(mutant, root, sound) {
    let outcome: Outcome;
    let seconds = 0;
    const seeds = [...SEEDS];
    do {
      outcome = await once('mutated', mutant, seeds.shift()!, root);
      seconds += outcome.seconds;
    } while (outcome.violations.length === 0 && seeds.length > 0);
    const { seed, violations } = outcome;
    return {
      noticed: violations.length > 0,
      by: violations.map(({ check }) => check),
      cells: { seed: String(seed), after: `${Math.round(seconds)} s` },
      soundPasses: async () => (await once('unmutated', mutant, seed, sound)).violations.length === 0,
    };
  },
  save: (args, found) => results.save('mutants', `npm run chaos:presence:mutants -- ${args}`, found),
});

async function once(kind: string, { faults }: Mutant, seed: number, root: string): Promise<Outcome> {
  const outcome = await run({ seed, root, faults, seconds: 12, sockets: 100, goneAfterMs: HASTY_MS });
  process.stdout.write(`${kind}, ${tell(outcome)}\n`);
  return outcome;
}
