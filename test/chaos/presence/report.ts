import { listed, table, total } from '../results.js';
import type { Outcome } from './outcome.js';

const SHOWN = 10;

/** What a run came to, in a few lines. */
export function tell(outcome: Outcome): string {
  const { seed, sockets, seconds, faults, holds, leaves, rightAfterMs, violations, logs } = outcome;
  const head = [
    `seed ${seed}: ${violations.length === 0 ? 'ok' : `FAILED (${violations.length})`}`,
    `${Math.round(seconds)} s, ${sockets} sockets, ${holds} times in a room`,
    `${leaves} users told to be gone; all views right ${rightAfterMs} ms after the storm`,
  ].join('; ');
  const shown = violations.slice(0, SHOWN).map(({ check, message }) => `  ${check}: ${message.slice(0, 4_000)}`);
  return [
    head,
    ...shown,
    ...(logs === undefined ? [] : [`  what the processes printed: ${logs}`]),
    `  happened: ${listed(faults)}`,
  ].join('\n');
}

/** Outcomes as a table of RESULTS.md. */
export function toTable(outcomes: readonly Outcome[]): string {
  const head = [
    'seed',
    'sockets',
    'seconds',
    'faults',
    'times in a room',
    'told to be gone',
    'right after',
    'violations',
  ];
  const rows = outcomes.map(({ seed, sockets, seconds, faults, holds, leaves, rightAfterMs, violations }) => {
    const counts = [seed, sockets, Math.round(seconds), total(faults), holds, leaves].map(String);
    return [...counts, `${(rightAfterMs / 1_000).toFixed(1)} s`, String(violations.length)];
  });
  return table(head, rows);
}

/** Behind the table: what happened. */
export function toNotes(outcomes: readonly Outcome[]): string {
  return outcomes.map(({ seed, faults }) => `- seed ${seed}: ${listed(faults)}`).join('\n');
}
