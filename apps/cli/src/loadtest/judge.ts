import { ms, percent } from '../format.js';
import type { Tally } from './tally.js';

/** What a service has to keep to under load, whatever its latency. */
const THRESHOLDS = { failedShare: 0.01, limitedShare: 0.005 } as const;

/** What the caller of a load test expects. */
export interface Expected {
  readonly maxP95Ms: number;
  readonly backend: 'redis' | 'memory' | 'any';
}

export interface Judgement {
  readonly what: string;
  readonly measured: string;
  readonly allowed: string;
  readonly passed: boolean;
}

/** Judges a run, threshold by threshold. A run without a single answer passes none that is measured on answers. */
export function judge(tally: Tally, backends: ReadonlySet<string>, expected: Expected): Judgement[] {
  const p95 = tally.latency.quantile(0.95);
  const share = (count: number) => (tally.total === 0 ? NaN : count / tally.total);
  const below = (what: string, count: number, limit: number): Judgement => ({
    what,
    measured: tally.total === 0 ? 'nothing' : percent(share(count)),
    allowed: `< ${limit * 100} %`,
    passed: share(count) < limit,
  });
  const onlyExpected = backends.size === 1 && backends.has(expected.backend);
  return [
    {
      what: 'p95 latency',
      measured: Number.isNaN(p95) ? 'nothing' : ms(p95),
      allowed: `< ${expected.maxP95Ms} ms`,
      passed: p95 < expected.maxP95Ms,
    },
    below('5xx, no answer', tally.failed, THRESHOLDS.failedShare),
    below('429', tally.limited, THRESHOLDS.limitedShare),
    { what: 'other statuses', measured: String(tally.unexpected), allowed: 'none', passed: tally.unexpected === 0 },
    {
      what: 'backend',
      measured: [...backends].sort().join(', ') || 'not shown',
      allowed: expected.backend === 'any' ? 'any' : `only ${expected.backend}`,
      passed: expected.backend === 'any' || onlyExpected,
    },
  ];
}
