import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeMutant } from '../mutant.js';
import { USUAL_MS } from './haste.js';
import { tell, toNotes, toTable } from './report.js';
import { results } from './results.js';
import type { Outcome } from './outcome.js';
import { run } from './run.js';

const USAGE = 'Usage: npm run chaos:presence -- [--seconds 60] [--sockets 500] [--seeds 1,2,3] [--write]';

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '60' },
      sockets: { type: 'string', default: '500' },
      seeds: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  });
  const [seconds, sockets] = [Number(values.seconds), Number(values.sockets)];
  const seeds = values.seeds?.split(',').map(Number) ?? [Math.floor(Math.random() * 2 ** 31)];
  if (!(seconds > 0 && sockets > 0 && seeds.every(Number.isSafeInteger))) throw new Error(USAGE);

  // A copy: a build in the middle of a long run would otherwise mix two versions.
  const root = join(makeMutant({ lib: 'presence', name: 'none', edits: [], service: true }), '..');
  const outcomes: Outcome[] = [];
  for (const seed of seeds) {
    process.stderr.write(`seed ${seed}: ${sockets} sockets, ${seconds} s …\n`);
    const outcome = await run({ seed, seconds, sockets, root, goneAfterMs: USUAL_MS });
    process.stdout.write(`${tell(outcome)}\n`);
    outcomes.push(outcome);
  }
  const found = `${toTable(outcomes)}\n\n${toNotes(outcomes)}`;
  process.stdout.write(`\n${found}\n`);
  if (values.write) results.save('run', `npm run chaos:presence -- ${args.join(' ')}`, found);
  if (outcomes.some(({ violations }) => violations.length > 0)) process.exitCode = 1;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
