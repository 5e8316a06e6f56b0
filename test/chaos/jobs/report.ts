import { listed, table, total } from '../results.js';
import type { Outcome } from './run.js';

const SHOWN = 10;

/** What a run came to, in a few lines. */
export function tell(outcome: Outcome): string {
  const { seed, store, seconds, violations, asked, committed, taken, unknown, mails, latency, answers, logs } = outcome;
  const head = [
    `seed ${seed} on ${store}: ${violations.length === 0 ? 'ok' : `FAILED (${violations.length})`}`,
    `${Math.round(seconds)} s, ${asked} requests (${listed(outcome.statuses, ' × ')})`,
    `${committed} bookings, ${taken} refused, ${unknown} unknown; ${mails} e-mails`,
  ].join('; ');
  const shown = violations.slice(0, SHOWN).map(({ check, message }) => `  ${check}: ${message}`);
  return [
    head,
    ...shown,
    ...(logs === undefined ? [] : [`  what the processes printed: ${logs}`]),
    `  broken: ${listed(outcome.faults)}; second e-mails: ${listed(outcome.duplicates) || 'none'}`,
    `  e-mail after ${latency.all.p50} ms (p50), ${latency.all.p99} ms (p99); calm: ${latency.calm.p50}, ${latency.calm.p99} ms`,
    `  answers in the calm after ${answers.p50} ms (p50), ${answers.p95} ms (p95)`,
  ].join('\n');
}

/** Outcomes as a table of RESULTS.md. */
export function toTable(outcomes: readonly Outcome[]): string {
  const head = [
    'jobs in',
    'seed',
    'seconds',
    'requests',
    'committed',
    'refused',
    'unknown',
    'faults',
    'e-mails',
    'second ones',
    'answer p50 / p95 calm',
    'e-mail p50 / p99 calm',
    'e-mail p50 / p99 overall',
    'violations',
  ];
  const rows = outcomes.map((outcome) => {
    const { store, seed, seconds, asked, committed, taken, unknown, mails, latency, answers, violations } = outcome;
    const { calm, all } = latency;
    return [
      store,
      seed,
      Math.round(seconds),
      asked,
      committed,
      taken,
      unknown,
      total(outcome.faults),
      mails,
      total(outcome.duplicates),
      `${answers.p50} / ${answers.p95} ms`,
      `${calm.p50} / ${calm.p99} ms`,
      `${all.p50} / ${all.p99} ms`,
      violations.length,
    ].map(String);
  });
  return table(head, rows);
}

/** Behind the table: what was broken, and what explains second e-mails. */
export function toNotes(outcomes: readonly Outcome[]): string {
  const lines = outcomes.map(
    ({ store, seed, faults, duplicates }) =>
      `- ${store}, seed ${seed}: broken ${listed(faults)}; second e-mails after ${listed(duplicates) || 'none'}`,
  );
  return lines.join('\n');
}
