import { join } from 'node:path';
import { table } from '../results.js';
import type { Outcome } from './run.js';

const SHOWN = 5;

/** What a run came to, in a few lines; a failure with its seed, its history, and the lines that contradict. */
export function tell(outcome: Outcome): string {
  const { seed, seconds, grants, writes, lost, violations, counts, dir } = outcome;
  const head = [
    `seed ${seed}: ${violations.length === 0 ? 'ok' : `FAILED (${violations.length})`}`,
    `${Math.round(seconds)} s, ${grants} grants, ${writes} acknowledged writes`,
    `lost without token check ${lost.unchecked}, with it ${lost.checked}`,
  ].join('; ');
  if (violations.length === 0) return `${head}\n  ${listed(counts)}`;
  const shown = violations
    .slice(0, SHOWN)
    .flatMap(({ check, message, lines }) => [`  ${check}: ${message}`, ...lines.map((line) => `    ${line}`)]);
  const kinds: Record<string, number> = {};
  for (const { check } of violations) kinds[check] = (kinds[check] ?? 0) + 1;
  return [
    head,
    ...shown,
    `  in all: ${listed(kinds)}`,
    `  ${listed(counts)}`,
    `  history: ${join(dir, '*.jsonl')}`,
  ].join('\n');
}

/** Outcomes as a table of RESULTS.md. */
export function toTable(outcomes: readonly Outcome[]): string {
  const head = ['seed', 'faults', 'grants', 'acknowledged writes', 'lost without token check', 'with it', 'violations'];
  const rows = outcomes.map(({ seed, counts, grants, writes, lost, violations }) => {
    const faults = Object.entries(counts).filter(([name]) => name.startsWith('fault '));
    const count = faults.reduce((sum, [, times]) => sum + times, 0);
    return [seed, count, grants, writes, lost.unchecked, lost.checked, violations.length].map(String);
  });
  return table(head, rows);
}

function listed(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
