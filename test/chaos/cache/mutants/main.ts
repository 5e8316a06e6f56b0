import { join } from 'node:path';
import { makeMutant } from '../../mutant.js';
import { tryMutants } from '../../mutant-trials.js';
import { tell } from '../report.js';
import { results } from '../results.js';
import { run } from '../run.js';
import { mutants } from './mutants.js';

const SEED = 1;
/** A mutant that lives longer was not noticed. */
const LONGEST_S = 30;

tryMutants({
  mutants,
  make: (mutant) => {
    const { name, edits } = mutant ?? { name: 'sound', edits: [] };
    return join(makeMutant({ lib: 'cache', name, edits }), 'cache/worker/main.js');
  },
  async attempt({ climate }, entry, sound) {
    const outcome = await run({ seed: SEED, seconds: LONGEST_S, entry, climate, mostViolations: 1 });
    process.stdout.write(`mutated, ${tell(outcome)}\n`);
    const { violations, rounds, seconds } = outcome;
    return {
      noticed: violations.length > 0,
      by: violations.map(({ check }) => check),
      cells: { rounds: String(rounds), after: `${seconds.toFixed(1)} s` },
      async soundPasses() {
        const passed = await run({ seed: SEED, seconds: Math.max(10, 2 * seconds), entry: sound, climate });
        process.stdout.write(`unmutated, ${tell(passed)}\n`);
        return passed.violations.length === 0;
      },
    };
  },
  save: (args, found) => results.save('mutants', `npm run chaos:cache:mutants -- ${args}`, found),
});
