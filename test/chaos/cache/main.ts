import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Climate } from './plan.js';
import { tell, toTable } from './report.js';
import { results } from './results.js';

import { type Outcome, run, TEMPERATE } from './run.js';
import { WEATHER } from './weather.js';

const USAGE = 'Usage: npm run chaos:cache -- [--seconds 60] [--seeds 1,2,3] [--climate kill-link=0.5,…] [--write]';
const ENTRY = fileURLToPath(new URL('worker/main.js', import.meta.url));

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '60' },
      seeds: { type: 'string' },
      climate: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  });
  const seconds = Number(values.seconds);
  const seeds = values.seeds?.split(',').map(Number) ?? [Math.floor(Math.random() * 2 ** 31)];
  const climate = values.climate === undefined ? TEMPERATE : climateOf(values.climate);
  if (!(seconds > 0 && seeds.every(Number.isSafeInteger) && climate)) throw new Error(USAGE);

  const outcomes: Outcome[] = [];
  for (const seed of seeds) {
    process.stderr.write(`seed ${seed}: ${seconds} s …\n`);
    const outcome = await run({ seed, seconds, entry: ENTRY, climate });
    process.stdout.write(`${tell(outcome)}\n`);
    outcomes.push(outcome);
  }
  process.stdout.write(`\n${toTable(outcomes)}\n`);
  if (values.write) results.save('run', `npm run chaos:cache -- ${args.join(' ')}`, toTable(outcomes));
  if (outcomes.some(({ violations }) => violations.length > 0)) process.exitCode = 1;
}

/** Undefined for what is none. */
function climateOf(text: string): Climate | undefined {
  const pairs = text.split(',').map((pair) => pair.split('='));
  const known: readonly string[] = WEATHER;
  if (pairs.some(([name, often]) => !known.includes(name!) || !(Number(often) >= 0))) return undefined;
  return Object.fromEntries(pairs.map(([name, often]) => [name, Number(often)]));
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
