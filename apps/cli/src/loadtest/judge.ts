import { ms, percent } from '../format.js';
import type { Tally } from './tally.js';

/** What a service has to keep to under load. */
export const THRESHOLDS = { p95Ms: 120, failedShare: 0.01, limitedShare: 0.005 } as const;

export interface Judgement {
  readonly what: string;
  readonly measured: string;
  readonly allowed: string;
  readonly passed: boolean;
}

/** Judges a run, threshold by threshold. A run without a single answer passes none that is measured on answers. */
export function judge(tally: Tally, backends: ReadonlySet<string>, expected: 'redis' | 'memory' | 'any'): Judgement[] {
  const p95 = tally.latency.quantile(0.95);
  const share = (count: number) => (tally.total === 0 ? NaN : count / tally.total);
  const below = (what: string, count: number, limit: number): Judgement => ({
    what,
    measured: tally.total === 0 ? 'nothing' : percent(share(count)),
    allowed: `< ${limit * 100} %`,
    passed: share(count) < limit,
  });
  const onlyExpected = backends.size === 1 && backends.has(expected);
  return [
    {
      what: 'p95 latency',
      measured: Number.isNaN(p95) ? 'nothing' : ms(p95),
      allowed: `< ${THRESHOLDS.p95Ms} ms`,
      passed: p95 < THRESHOLDS.p95Ms,
    },
    below('5xx, no answer', tally.failed, THRESHOLDS.failedShare),
    below('429', tally.limited, THRESHOLDS.limitedShare),
    { what: 'other statuses', measured: String(tally.unexpected), allowed: 'none', passed: tally.unexpected === 0 },
    {
      what: 'backend',
      measured: [...backends].sort().join(', ') || 'not shown',
      allowed: expected === 'any' ? 'any' : `only ${expected}`,
      passed: expected === 'any' || onlyExpected,
    },
  ];
}
