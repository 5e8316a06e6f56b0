import type { BoundVerdict } from './bounds.js';
import type { BurstSlice } from './burst-slice.js';
import type { ContentionSlice } from './contention-slice.js';
import type { FairnessSlice } from './fairness-slice.js';
import type { HeartbeatSlice } from './heartbeat-slice.js';
import type { JobSlice } from './job-slice.js';
import type { OutageRow, Row } from './runner.js';
import type { Verdict } from './verdicts.js';

const CAUTION = [
  'Closed loops on a small machine that runs the load, the contestant and Redis together: what one saves, the others get.',
  'Only ratios within a scenario mean anything, and of those none below 1.1; CPU per operation is the steadiest figure.',
].join(' ');

/** One suite as it stands in RESULTS.md. */
export interface Section {
  readonly name: string;
  readonly about: string;
  readonly circumstances: string;
  readonly table: string;
}

/** The table of a suite that measures throughput. */
export function throughputTable(rows: readonly Row[]): string {
  const head = ['scenario', 'contestant', '×', '× min–max', 'ops/s', 'client CPU µs', 'server CPU µs'];
  const more = ['p50 ms', 'p99 ms', 'scripts', 'commands', 'sent', 'Redis reads'];
  return table(
    [...head, ...more],
    2,
    rows.map(({ scenario, contestant, slice, ratio: [middle, least, most], problem }) => {
      if (!slice) return [scenario, contestant, `**broken**: ${oneLine(problem)}`];
      const rate = [fixed(middle, 2), `${fixed(least, 2)}–${fixed(most, 2)}`, thousands(slice.perSecond)];
      const cpu = [fixed(slice.clientCpuUs, 1), fixed(slice.serverCpuUs, 1)];
      const latency = [fixed(slice.p50Ms, 3), fixed(slice.p99Ms, 3)];
      const counted = [fixed(slice.scripts, 2), fixed(slice.commands, 2), fixed(slice.sent, 2), fixed(slice.reads, 3)];
      return [scenario, contestant, ...rate, ...cpu, ...latency, ...counted];
    }),
  );
}

/** The table of contenders of one lock. */
export function contentionTable(rows: readonly Row<ContentionSlice>[]): string {
  const head = ['scenario', 'contestant', '×', '× min–max', 'sections/s', 'hand-over p50 ms', 'p99 ms'];
  const more = ['longest wait ms', 'fairness', 'total ÷ holds', 'commands', 'client CPU µs', 'server CPU µs'];
  return table(
    [...head, ...more],
    2,
    rows.map(({ scenario, contestant, slice, ratio: [middle, least, most], problem }) => {
      if (!slice) return [scenario, contestant, `**broken**: ${oneLine(problem)}`];
      const rate = [fixed(middle, 2), `${fixed(least, 2)}–${fixed(most, 2)}`, fixed(slice.perSecond, 1)];
      const handOver = [fixed(slice.handOverP50Ms, 2), fixed(slice.handOverP99Ms, 2)];
      const shares = [fixed(slice.longestWaitMs, 0), fixed(slice.fairness, 2), fixed(slice.totalByHolds, 2)];
      const cost = [fixed(slice.commands, 1), fixed(slice.clientCpuUs, 0), fixed(slice.serverCpuUs, 0)];
      return [scenario, contestant, ...rate, ...handOver, ...shares, ...cost];
    }),
  );
}

/** The table of bursts of callers of one cold key. */
export function burstTable(rows: readonly Row<BurstSlice>[]): string {
  const head = ['scenario', 'contestant', '×', '× min–max', 'origin calls', 'at worst', 'served ms', 'at worst ms'];
  return table(
    [...head, 'scripts', 'commands', 'server CPU µs'],
    2,
    rows.map(({ scenario, contestant, slice, ratio: [middle, least, most], problem }) => {
      if (!slice) return [scenario, contestant, `**broken**: ${oneLine(problem)}`];
      const rate = [fixed(middle, 2), `${fixed(least, 2)}–${fixed(most, 2)}`];
      const origin = [fixed(slice.originCalls, 2), fixed(slice.originCallsWorst, 0)];
      const served = [fixed(slice.servedMs, 1), fixed(slice.servedWorstMs, 1)];
      const counted = [fixed(slice.scripts, 1), fixed(slice.commands, 1), fixed(slice.serverCpuUs, 0)];
      return [scenario, contestant, ...rate, ...origin, ...served, ...counted];
    }),
  );
}

/** The table of jobs that are added and handled. */
export function jobTable(rows: readonly Row<JobSlice>[]): string {
  const head = ['scenario', 'contestant', '×', '× min–max', 'jobs/s', 'client CPU µs', 'server CPU µs'];
  return table(
    [...head, 'p50 ms', 'p99 ms'],
    2,
    rows.map(({ scenario, contestant, slice, ratio: [middle, least, most], problem }) => {
      if (!slice) return [scenario, contestant, `**broken**: ${oneLine(problem)}`];
      const rate = [fixed(middle, 2), `${fixed(least, 2)}–${fixed(most, 2)}`, thousands(slice.perSecond)];
      const cost = [fixed(slice.clientCpuUs, 0), fixed(slice.serverCpuUs, 0)];
      return [scenario, contestant, ...rate, ...cost, fixed(slice.p50Ms, 2), fixed(slice.p99Ms, 2)];
    }),
  );
}

/** The table of urgent jobs before a backlog. */
export function fairnessTable(rows: readonly Row<FairnessSlice>[]): string {
  const head = ['scenario', 'contestant', 'high start ms', 'at worst ms', 'jobs/s', 'low %'];
  return table(
    head,
    2,
    rows.map(({ scenario, contestant, slice, problem }) => {
      if (!slice) return [scenario, contestant, `**broken**: ${oneLine(problem)}`];
      const starts = [fixed(slice.highStartMs, 1), fixed(slice.highStartWorstMs, 1)];
      return [scenario, contestant, ...starts, thousands(slice.perSecond), fixed(slice.lowPercent, 1)];
    }),
  );
}

/** The table of users who are online. */
export function heartbeatTable(rows: readonly Row<HeartbeatSlice>[]): string {
  const head = ['scenario', 'contestant', 'beats/s', 'commands/s', '% of them', 'bytes in/s', 'bytes out/s'];
  return table(
    [...head, 'server CPU ms/s', '% of it', 'client CPU ms/s'],
    2,
    rows.map(({ scenario, contestant, slice, problem }) => {
      if (!slice) return [scenario, contestant, `**broken**: ${oneLine(problem)}`];
      const counted = [thousands(slice.perSecond), fixed(slice.commands, 1), fixed(slice.commandsPercent, 2)];
      const bytes = [thousands(slice.bytesIn), thousands(slice.bytesOut)];
      const server = [fixed(slice.serverCpuUs / 1_000, 2), fixed(slice.serverCpuPercent, 2)];
      return [scenario, contestant, ...counted, ...bytes, ...server, fixed(slice.clientCpuUs / 1_000, 1)];
    }),
  );
}

/** What figures have to keep to, and what came of it. */
export function boundsTable(verdicts: readonly BoundVerdict[]): string {
  return table(
    ['target', 'met', 'wanted', 'measured', 'min–max'],
    2,
    verdicts.map(({ title, wanted, measured: [middle, least, most], met }) => [
      title,
      met ? 'yes' : '**no**',
      wanted,
      fixed(middle, 2),
      `${fixed(least, 2)}–${fixed(most, 2)}`,
    ]),
  );
}

/** The table of the suite `outage`. */
export function outageTable(rows: readonly OutageRow[], patienceSeconds: number): string {
  const time = (answer: number | null) => (answer === null ? `> ${patienceSeconds} s` : `${fixed(answer, 1)} ms`);
  return table(
    ['contestant', 'first answer', 'second answer', 'sixth answer'],
    1,
    rows.map(({ contestant, answers }) => {
      // Who left two questions unanswered was not asked a sixth time.
      const [first = null, second = null, sixth = null] = answers;
      return [contestant, time(first), time(second), second === null ? '–' : time(sixth)];
    }),
  );
}

/** The table of what was promised, and what came of it. */
export function targetsTable(verdicts: readonly Verdict[]): string {
  return table(
    ['target', 'against', 'met', 'at least', '×', '× min–max', 'client CPU ÷'],
    3,
    verdicts.map(({ target: { title, atLeast, rivals }, rival, ratio: [middle, least, most], cpuRatio, met }) => [
      title,
      rival ?? rivals.join(', '),
      met === undefined ? 'not measured' : met ? 'yes' : '**no**',
      fixed(atLeast, 2),
      fixed(middle, 2),
      rival === undefined ? '–' : `${fixed(least, 2)}–${fixed(most, 2)}`,
      fixed(cpuRatio, 2),
    ]),
  );
}

export function toMarkdown({ name, about, circumstances, table: lines }: Section): string {
  return [`## ${name}`, about, circumstances, lines].join('\n\n');
}

/** The whole of RESULTS.md in this order: the sections given replace those of the same name, all others stay. */
export function mergeResults(present: string, sections: readonly Section[], order: readonly string[]): string {
  const kept = new Map(
    present
      .split(/^(?=## )/m)
      .slice(1)
      .map((text) => [/^## (.*)$/m.exec(text)?.[1], text.trim()]),
  );
  for (const section of sections) kept.set(section.name, toMarkdown(section));
  const texts = order.map((name) => kept.get(name)).filter((text) => text !== undefined);
  return `${['# Results', CAUTION, ...texts].join('\n\n')}\n`;
}

/** As prettier formats it; the first columns hold words, all others numbers. */
function table(head: readonly string[], words: number, rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows.map((row) => head.map((_, column) => row[column] ?? ''))];
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]!.length)));
  const pad = (text: string, column: number) =>
    column < words ? text.padEnd(widths[column]!) : text.padStart(widths[column]!);
  const rule = widths.map((width, column) => (column < words ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  const lines = cells.map((row) => row.map(pad));
  return [lines[0]!, rule, ...lines.slice(1)].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–';
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en').replaceAll(',', ' ');
}

function oneLine(text = ''): string {
  return text.split('\n')[0]!.replaceAll('|', '/');
}
