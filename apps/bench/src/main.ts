import { RedisServer } from '@roost/testing';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { hasWrk } from './http-load.js';
import { mergeResults, outageTable, targetsTable, throughputTable, toMarkdown, type Section } from './report.js';
import { runOutage, runSuite, type Row, type RunOptions } from './runner.js';
import { suites } from './suites/index.js';
import { outage } from './suites/outage.js';
import { targets } from './suites/targets.js';
import { judge, type Verdict } from './verdicts.js';

const TARGETS = 'targets';
const NAMES = [...suites.map(({ name }) => name), outage.name];
const USAGE = `Usage: npm run bench -- <${NAMES.join('|')}|all> [--rounds 3] [--seconds 1.5] [--patience 3] [--quick] [--write]`;
const RESULTS = fileURLToPath(new URL('../RESULTS.md', import.meta.url));

async function main(args: string[]): Promise<void> {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      patience: { type: 'string', default: '3' },
      quick: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  });
  const wanted = positionals.length === 1 && positionals[0] === 'all' ? NAMES : positionals;
  const unknown = wanted.filter((name) => !NAMES.includes(name));
  if (wanted.length === 0 || unknown.length > 0) throw new Error(USAGE);
  const options: RunOptions = {
    rounds: bounded('rounds', values.rounds ?? (values.quick ? '1' : '3'), 1, 9),
    seconds: bounded('seconds', values.seconds ?? (values.quick ? '1' : '1.5'), 0.02, 30),
    patienceSeconds: bounded('patience', values.patience, 0.3, 10),
    progress: (line) => process.stderr.write(`${line}\n`),
  };

  const server = await RedisServer.start(); // neither snapshots nor an append-only file
  try {
    const circumstances = await describe(server, args);
    const sections: Section[] = [];
    const rows: Row[] = [];
    for (const name of wanted) {
      const suite = suites.find((each) => each.name === name);
      const measured = suite ? await runSuite(suite, server, options) : [];
      rows.push(...measured);
      const table = suite
        ? throughputTable(measured)
        : outageTable(await runOutage(server, options), options.patienceSeconds);
      const section = { name, about: suite?.about ?? outage.about, circumstances, table };
      sections.push(section);
      console.log(`${toMarkdown(section)}\n`);
    }
    const verdicts = judge(targets, rows);
    if (verdicts.some(({ met }) => met !== undefined)) {
      const section = targetsSection(verdicts, circumstances);
      // Half of them would replace all of them.
      if (verdicts.every(({ met }) => met !== undefined)) sections.push(section);
      console.log(`${toMarkdown(section)}\n`);
    }
    if (values.write) {
      const present = existsSync(RESULTS) ? readFileSync(RESULTS, 'utf8') : '';
      writeFileSync(RESULTS, mergeResults(present, sections, [TARGETS, ...NAMES]));
    }
  } finally {
    await server.stop();
  }
}

function targetsSection(verdicts: readonly Verdict[], circumstances: string): Section {
  const about =
    'What the limiter has to reach, each against the best of its rivals in the same scenario and round of `rate-limit` or `http`. Client CPU ÷: how many times less CPU the process takes per operation.';
  return { name: TARGETS, about, circumstances, table: targetsTable(verdicts) };
}

function bounded(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (value >= least && value <= most) return value;
  throw new Error(`Expected --${name} to be a number from ${least} to ${most}, got ${text}\n${USAGE}`);
}

async function describe(server: RedisServer, args: readonly string[]): Promise<string> {
  const version = /redis_version:(\S+)/.exec(String(await server.command('INFO', 'server')))?.[1];
  return [
    `\`npm run bench -- ${args.join(' ')}\` on ${new Date().toISOString().slice(0, 10)}`,
    `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.versions.node}, Redis ${version}`,
    `HTTP load by ${(await hasWrk()) ? 'wrk' : 'sockets of Node'}.`,
  ].join('; ');
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
