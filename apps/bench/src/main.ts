import { PostgresServer, RedisServer } from '@roost/testing';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { judgeBounds } from './bounds.js';
import { runBursts } from './burst-runner.js';
import { hasWrk } from './http-load.js';
import { runContention } from './contention-runner.js';
import { Crew } from './crew.js';
import { runHeartbeats } from './heartbeat-slice.js';
import { runFairness, runJobs } from './job-runner.js';
import type { JobServers } from './job-slice.js';
import {
  boundsTable,
  burstTable,
  contentionTable,
  fairnessTable,
  heartbeatTable,
  jobTable,
  mergeResults,
  outageTable,
  targetsTable,
  throughputTable,
  toMarkdown,
  type Section,
} from './report.js';
import { runOutage, runSuite, SHORTEST_TO_COMPARE, type Rated, type Row, type RunOptions } from './runner.js';
import { suites } from './suites/index.js';
import { outage } from './suites/outage.js';
import type { Promises, Suite } from './suites/suite.js';
import { targets } from './suites/targets.js';
import { judge, type Judged, type Verdict } from './verdicts.js';

const TARGETS = 'targets';
const NAMES = [...suites.map(({ name }) => name), outage.name];
const USAGE = `Usage: npm run bench -- <${NAMES.join('|')}|all> [--rounds 3] [--seconds 1.5] [--patience 3] [--quick] [--scenario text] [--write]`;
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
      scenario: { type: 'string', default: '' },
      write: { type: 'boolean', default: false },
    },
  });
  const wanted = positionals.length === 1 && positionals[0] === 'all' ? NAMES : positionals;
  const unknown = wanted.filter((name) => !NAMES.includes(name));
  if (wanted.length === 0 || unknown.length > 0) throw new Error(USAGE);
  if (values.write && values.scenario !== '') throw new Error(`Some scenarios cannot replace all of them\n${USAGE}`);
  const seconds = bounded('seconds', values.seconds ?? (values.quick ? '1' : '1.5'), 0.02, 30);
  const crew = new Crew(seconds < SHORTEST_TO_COMPARE);
  const options: RunOptions = {
    rounds: bounded('rounds', values.rounds ?? (values.quick ? '1' : '3'), 1, 9),
    seconds,
    crew,
    patienceSeconds: bounded('patience', values.patience, 0.3, 10),
    progress: (line) => process.stderr.write(`${line}\n`),
  };

  const server = await RedisServer.start(); // neither snapshots nor an append-only file
  let postgres: PostgresServer | undefined;
  try {
    if (suites.some((each) => each.postgres && wanted.includes(each.name))) postgres = await PostgresServer.start();
    const servers = { server, postgresUrl: postgres?.url };
    const circumstances = await describe(server, args);
    const sections: Section[] = [];
    const rows: Row[] = [];
    for (const name of wanted) {
      const suite = suites.find((each) => each.name === name);
      const { about } = suite ?? outage;
      let table: string;
      if (suite) {
        const narrow = narrowed(suite, values.scenario);
        const measured = await runSuite(narrow, servers, options);
        rows.push(...measured);
        const alone = measured.length > 0 ? [throughputTable(measured)] : [];
        const together = await measureTogether(narrow, measured, { server, postgres }, options);
        table = [...alone, ...together].join('\n\n');
      } else {
        table = outageTable(await runOutage(server, options), options.patienceSeconds);
      }
      const section = { name, about, circumstances, table };
      sections.push(section);
      console.log(`${toMarkdown(section)}\n`);
    }
    const verdicts = judge(targets, rows);
    const measured = verdicts.filter(({ met }) => met !== undefined);
    if (measured.length > 0) {
      const section = targetsSection(measured, circumstances);
      // Half of them would replace all of them.
      if (measured.length === verdicts.length) sections.push(section);
      console.log(`${toMarkdown(section)}\n`);
    }
    if (values.write) {
      const present = existsSync(RESULTS) ? readFileSync(RESULTS, 'utf8') : '';
      writeFileSync(RESULTS, mergeResults(present, sections, [TARGETS, ...NAMES]));
    }
  } finally {
    await Promise.all([crew.end(), server.stop(), postgres?.stop()]);
  }
}

/** What several processes of a contestant do together, and what came of the promises of the suite. */
async function measureTogether(
  { name, contention, bursts, jobs, fairness, heartbeats, promises }: Suite,
  alone: readonly Row[],
  servers: { readonly server: RedisServer; readonly postgres: PostgresServer | undefined },
  options: RunOptions,
): Promise<string[]> {
  const { server } = servers;
  const tables: string[] = [];
  const rows: Row<Rated>[] = [...alone];
  const compared: Row<Judged>[] = [...alone];
  if (contention?.scenarios.length) {
    const contended = await runContention(name, contention, server, options);
    tables.push(contention.about, contentionTable(contended));
    rows.push(...contended);
  }
  if (bursts?.scenarios.length) {
    const served = await runBursts(name, bursts, server, options);
    tables.push(bursts.about, burstTable(served));
    rows.push(...served);
  }
  for (const each of jobs ?? []) {
    if (each.scenarios.length === 0) continue;
    const worked = await runJobs(name, each, servers as JobServers, options);
    tables.push(each.about, jobTable(worked));
    compared.push(...worked);
  }
  if (fairness?.scenarios.length) {
    const mixed = await runFairness(name, fairness, servers as JobServers, options);
    tables.push(fairness.about, fairnessTable(mixed));
    rows.push(...mixed);
  }
  if (heartbeats?.scenarios.length) {
    const lived = await runHeartbeats(name, heartbeats, server, options);
    tables.push(heartbeats.about, heartbeatTable(lived));
    rows.push(...lived);
  }
  return promises ? [...tables, ...promisesKept(promises, compared, rows)] : tables;
}

function promisesKept(
  { about, ratios = [], bounds }: Promises,
  compared: readonly Row<Judged>[],
  rows: readonly Row<Rated>[],
): string[] {
  const [held, kept] = [judge(ratios, compared).filter(({ met }) => met !== undefined), judgeBounds(bounds, rows)];
  const tables = [held.length > 0 && targetsTable(held), kept.length > 0 && boundsTable(kept)].filter(
    (each) => each !== false,
  );
  return tables.length > 0 ? [about, ...tables] : [];
}

function targetsSection(verdicts: readonly Verdict[], circumstances: string): Section {
  const about =
    'What the limiter and a cached route have to reach, each against the best of its rivals in the same scenario and round of `rate-limit` or `http`. Client CPU ÷: how many times less CPU the process takes per operation.';
  return { name: TARGETS, about, circumstances, table: targetsTable(verdicts) };
}

/** The same suite with the scenarios whose title has this text. */
function narrowed(suite: Suite, text: string): Suite {
  const narrow = <Of extends { readonly scenarios: readonly Titled[] }>(comparison: Of): Of => {
    return { ...comparison, scenarios: comparison.scenarios.filter(({ title }) => title.includes(text)) };
  };
  return {
    ...suite,
    comparisons: suite.comparisons.map(narrow).filter(({ scenarios }) => scenarios.length > 0),
    contention: suite.contention && narrow(suite.contention),
    bursts: suite.bursts && narrow(suite.bursts),
    jobs: suite.jobs?.map(narrow),
    fairness: suite.fairness && narrow(suite.fairness),
    heartbeats: suite.heartbeats && narrow(suite.heartbeats),
  };
}

interface Titled {
  readonly title: string;
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
