import { table } from '../results.js';
import type { Outcome } from './run.js';

const SHOWN = 6;

/** What a run came to, in a few lines. */
export function tell({
  seed,
  seconds,
  rounds,
  operations,
  checks,
  loads,
  fenced,
  weather,
  violations,
}: Outcome): string {
  const head = [
    `seed ${seed}: ${violations.length === 0 ? 'ok' : `FAILED (${violations.length})`}`,
    `${Math.round(seconds)} s, ${rounds} rounds, ${operations} operations, ${checks} checks`,
    `${loads} loads, ${fenced} of them fenced off`,
  ].join('; ');
  const happened = Object.entries(weather)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, times]) => `${name} ${times}`);
  const shown = violations
    .slice(0, SHOWN)
    .flatMap(({ check, message, story }) => [`  ${check}: ${message}`, ...story.map((line) => `    ${line}`)]);
  return [head, ...shown, `  ${happened.join(', ')}`].join('\n');
}

/** Outcomes as a table of RESULTS.md. */
export function toTable(outcomes: readonly Outcome[]): string {
  const head = ['seed', 'seconds', 'rounds', 'operations', 'faults', 'loads', 'fenced off', 'checks', 'violations'];
  const rows = outcomes.map((outcome) => {
    const faults = Object.values(outcome.weather).reduce((sum, times) => sum + times, 0);
    const { seed, seconds, rounds, operations, loads, fenced, checks, violations } = outcome;
    return [seed, Math.round(seconds), rounds, operations, faults, loads, fenced, checks, violations.length].map(
      String,
    );
  });
  return table(head, rows);
}
