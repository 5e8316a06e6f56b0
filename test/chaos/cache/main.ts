import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tell, toTable } from './report.js';
import { results } from './results.js';
import { type Outcome, run } from './run.js';

const USAGE = 'Usage: npm run chaos:cache -- [--seconds 60] [--seeds 1,2,3] [--write]';
const ENTRY = fileURLToPath(new URL('worker/main.js', import.meta.url));

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '60' },
      seeds: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  });
  const seconds = Number(values.seconds);
  const seeds = values.seeds?.split(',').map(Number) ?? [Math.floor(Math.random() * 2 ** 31)];
  if (!(seconds > 0 && seeds.every(Number.isSafeInteger))) throw new Error(USAGE);

  const outcomes: Outcome[] = [];
  for (const seed of seeds) {
    process.stderr.write(`seed ${seed}: ${seconds} s …\n`);
    const outcome = await run({ seed, seconds, entry: ENTRY });
    process.stdout.write(`${tell(outcome)}\n`);
    outcomes.push(outcome);
  }
  process.stdout.write(`\n${toTable(outcomes)}\n`);
  if (values.write) results.save('run', `npm run chaos:cache -- ${args.join(' ')}`, toTable(outcomes));
  if (outcomes.some(({ violations }) => violations.length > 0)) process.exitCode = 1;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
