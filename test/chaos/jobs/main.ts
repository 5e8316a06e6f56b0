import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeMutant } from '../mutant.js';
import type { Store } from './deployment.js';
import { tell, toNotes, toTable } from './report.js';
import { results } from './results.js';
import { type Outcome, run } from './run.js';

const USAGE = 'Usage: npm run chaos:jobs -- [--bookings 1000] [--seeds 1,2,3] [--stores redis,postgres] [--write]';
const STORES: readonly string[] = ['redis', 'postgres'] satisfies Store[];

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      bookings: { type: 'string', default: '1000' },
      seeds: { type: 'string' },
      stores: { type: 'string', default: 'redis,postgres' },
      write: { type: 'boolean', default: false },
    },
  });
  const bookings = Number(values.bookings);
  const seeds = values.seeds?.split(',').map(Number) ?? [Math.floor(Math.random() * 2 ** 31)];
  const stores = values.stores.split(',');
  const right = bookings > 0 && seeds.every(Number.isSafeInteger) && stores.every((name) => STORES.includes(name));
  if (!right) throw new Error(USAGE);

  // A copy: a build in the middle of a long run would otherwise mix two versions.
  const root = join(makeMutant({ lib: 'queue', name: 'none', edits: [], service: true }), '..');
  const outcomes: Outcome[] = [];
  for (const store of stores) {
    for (const seed of seeds) {
      process.stderr.write(`seed ${seed} on ${store}: ${bookings} bookings …\n`);
      const outcome = await run({ seed, store: store as Store, bookings, root });
      process.stdout.write(`${tell(outcome)}\n`);
      outcomes.push(outcome);
    }
  }
  const found = `${toTable(outcomes)}\n\n${toNotes(outcomes)}`;
  process.stdout.write(`\n${found}\n`);
  if (values.write) results.save('run', `npm run chaos:jobs -- ${args.join(' ')}`, found);
  if (outcomes.some(({ violations }) => violations.length > 0)) process.exitCode = 1;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
