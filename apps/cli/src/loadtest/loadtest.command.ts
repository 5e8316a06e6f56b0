import type { Cli } from '../cli.js';
import { columns, lifetime, ms, percent } from '../format.js';
import { BackendWatch } from './backend-watch.js';
import { judge } from './judge.js';
import { planOf, totalOf, type LoadFlags, type LoadPlan } from './load-plan.js';
import { LoadRun } from './load-run.js';
import type { Tally } from './tally.js';

export interface LoadtestFlags extends LoadFlags {
  readonly expectBackend: 'redis' | 'memory' | 'any';
  readonly adminToken?: string;
}

/** From here on the machine that measures spoils what it measures. */
const BUSY_MS = 20;
const PROGRESS_MS = { watched: 1_000, logged: 5_000 };

/** Drives a service and judges it; 1 when a threshold is missed, the run was interrupted or nothing answers, else 0. */
export async function loadtest(flags: LoadtestFlags, { terminal, env, interruption }: Cli): Promise<number> {
  const plan = planOf(flags);
  const watch = new BackendWatch(plan.url, flags.adminToken ?? env.ROOST_ADMIN_TOKEN);
  const signal = interruption();
  if (!(await watch.look())) {
    terminal.error(`Nothing answers at ${plan.url.origin}. Start the service (npm start) or correct --url.`);
    return 1;
  }

  terminal.line(heading(plan));
  const load = new LoadRun(plan);
  const everyMs = terminal.isTTY ? PROGRESS_MS.watched : PROGRESS_MS.logged;
  const ticking = setInterval(() => terminal.progress(progress(load)), everyMs);
  watch.start();
  await load.run(signal);
  const tookMs = load.elapsedMs;
  clearInterval(ticking);
  await watch.stop();

  if (signal.aborted)
    terminal.line(`Interrupted after ${Math.round(tookMs / 1_000)} s: what follows is the result so far.`);
  terminal.line();
  for (const line of results(load.tally, tookMs)) terminal.line(line);
  terminal.line();
  const judgements = judge(load.tally, watch.seen, { maxP95Ms: plan.maxP95Ms, backend: flags.expectBackend });
  const rows = judgements.map((each) => [each.passed ? 'PASS' : 'FAIL', each.what, each.measured, each.allowed]);
  for (const line of columns(rows, [2])) terminal.line(line);
  const slow = judgements.some(({ what, passed }) => what === 'p95 latency' && !passed);
  if (slow && load.ownDelayMs > BUSY_MS) {
    terminal.line(`This process was late itself, by up to ${ms(load.ownDelayMs)}: repeat it where more CPU is free.`);
  }
  return judgements.every(({ passed }) => passed) && !signal.aborted ? 0 : 1;
}

function heading(plan: LoadPlan): string {
  const rate =
    plan.ratePerSecond >= 100 ? `${plan.ratePerSecond}/s` : `${Number((plan.ratePerSecond * 60).toFixed(1))}/min`;
  return (
    `GET ${plan.url.href}: ${totalOf(plan)} requests at ${rate} for ${lifetime(plan.durationMs)}, ` +
    `${plan.keys} API keys, ${plan.connections} connections`
  );
}

function progress({ tally, elapsedMs }: LoadRun): string {
  return (
    `${String(Math.round(elapsedMs / 1_000)).padStart(4)} s  ${tally.total} done  p95 ${ms(tally.latency.quantile(0.95) || 0)}  ` +
    `5xx ${tally.failed - tally.unanswered}  429 ${tally.limited}  no answer ${tally.unanswered}`
  );
}

function results(tally: Tally, tookMs: number): string[] {
  const at = (share: number) => (tally.latency.count === 0 ? '-' : ms(tally.latency.quantile(share)));
  const statuses = [...tally.statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
  return columns([
    ['requests', `${tally.total} in ${(tookMs / 1_000).toFixed(1)} s, ${tally.unanswered} without an answer`],
    [
      'latency',
      `p50 ${at(0.5)}  p95 ${at(0.95)}  p99 ${at(0.99)}  max ${tally.latency.count ? ms(tally.latency.maxMs) : '-'}`,
    ],
    ['statuses', statuses.join('  ') || '-'],
    [
      'rates',
      tally.total ? `5xx ${percent(tally.failed / tally.total)}  429 ${percent(tally.limited / tally.total)}` : '-',
    ],
  ]);
}
