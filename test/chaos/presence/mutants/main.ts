import { join } from 'node:path';
import { makeMutant } from '../../mutant.js';
import { attemptBySeeds, tryMutants } from '../../mutant-trials.js';
import { HASTE, HASTY_MS } from '../haste.js';
import { tell } from '../report.js';
import { results } from '../results.js';
import type { Outcome } from '../outcome.js';
import { run } from '../run.js';
import { type Mutant, mutants } from './mutants.js';

const SEEDS = [1, 2, 3, 4, 5];

tryMutants<Mutant>({
  mutants,
  make: (mutant) => {
    const { name, edits } = mutant ?? { name: 'sound', edits: [] };
    return join(makeMutant({ lib: 'presence', name, edits: [...HASTE, ...edits], service: true }), '..');
  },
  attempt: (mutant, root, sound) =>
    attemptBySeeds(SEEDS, (kind, seed) => once(kind, mutant, seed, kind === 'mutated' ? root : sound)),
  save: (args, found) => results.save('mutants', `npm run chaos:presence:mutants -- ${args}`, found),
});

async function once(kind: string, { faults }: Mutant, seed: number, root: string): Promise<Outcome> {
  const outcome = await run({ seed, root, faults, seconds: 12, sockets: 100, goneAfterMs: HASTY_MS });
  process.stdout.write(`${kind}, ${tell(outcome)}\n`);
  return outcome;
}
