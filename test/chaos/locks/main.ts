import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type FaultName, planOf, SERVER_FAULTS, WORKER_FAULTS } from './nemesis/plan.js';
import { tell, toTable } from './report.js';
import { results } from './results.js';
import { type Outcome, run, WORKLOADS } from './run.js';

const USAGE =
  'Usage: npm run chaos:locks -- [--seconds 60] [--seeds 1,2,3] [--workloads mutexes,…] [--faults stop,…] [--write run|pauses]';
const ENTRY = fileURLToPath(new URL('worker/main.js', import.meta.url));

const ALL: readonly string[] = [...SERVER_FAULTS, ...WORKER_FAULTS];

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '60' },
      seeds: { type: 'string' },
      workloads: { type: 'string' },
      faults: { type: 'string' },
      write: { type: 'string' },
    },
  });
  const seconds = Number(values.seconds);
  const seeds = values.seeds?.split(',').map(Number) ?? [Math.floor(Math.random() * 2 ** 31)];
  const workloads = values.workloads?.split(',') ?? WORKLOADS;
  const only = values.faults?.split(',') ?? ALL;
  const among = (names: readonly FaultName[]) => names.filter((name) => only.includes(name));
  const chosen = { server: among(SERVER_FAULTS), worker: among(WORKER_FAULTS), pauses: among(['stop']) };
  const right =
    seconds > 0 &&
    seeds.every(Number.isSafeInteger) &&
    workloads.every((name) => WORKLOADS.includes(name)) &&
    only.every((name) => ALL.includes(name)) &&
    [undefined, 'run', 'pauses'].includes(values.write);
  if (!right) throw new Error(USAGE);

  const outcomes: Outcome[] = [];
  for (const seed of seeds) {
    process.stderr.write(`seed ${seed}: ${seconds} s of faults …\n`);
    const outcome = await run({
      seed,
      entry: ENTRY,
      workloads,
      lanes: (workers) => planOf(seed, seconds, workers, chosen),
    });
    process.stdout.write(`${tell(outcome)}\n`);
    if (outcome.violations.length === 0) rmSync(outcome.dir, { recursive: true });
    outcomes.push(outcome);
  }
  process.stdout.write(`\n${toTable(outcomes)}\n`);
  if (values.write)
    results.save(values.write as 'run' | 'pauses', `npm run chaos:locks -- ${args.join(' ')}`, toTable(outcomes));
  if (outcomes.some(({ violations }) => violations.length > 0)) process.exitCode = 1;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
