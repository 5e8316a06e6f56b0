import type { ContentionSlice } from '../contention-slice.js';
import type { Row } from '../runner.js';

/** A promise about locks, held against what was measured. */
export interface LockVerdict {
  readonly title: string;
  /** `≥ 0.95`, as it is written. */
  readonly wanted: string;
  readonly measured: readonly [middle: number, least: number, most: number];
  readonly met: boolean;
}

interface LockTarget {
  readonly title: string;
  readonly scenario: string;
  readonly bound: 'at least' | 'at most';
  readonly limit: number;
  /** A figure of a load of contenders; left out: how often as fast as the baseline. */
  readonly figure?: keyof ContentionSlice;
}

const roost = 'Roost LockService';
const inOne = '50 greedy contenders in 1 process';
const inFour = '13 greedy contenders in each of 4 processes';
const burst = 'a burst of 52 in 4 processes';

/** What locks have to reach. */
export const lockTargets: readonly LockTarget[] = [
  { title: 'own locks, 1 at once, against raw', scenario: 'own locks, 1 at once', bound: 'at least', limit: 0.9 },
  { title: 'own locks, 64 at once, against raw', scenario: 'own locks, 64 at once', bound: 'at least', limit: 2 },
  ...[inOne, inFour].flatMap((scenario): LockTarget[] => [
    { title: `${scenario}: fairness`, scenario, bound: 'at least', limit: 0.95, figure: 'fairness' },
    { title: `${scenario}: hand-over p99, ms`, scenario, bound: 'at most', limit: 2, figure: 'handOverP99Ms' },
    { title: `${scenario}: commands per section`, scenario, bound: 'at most', limit: 2, figure: 'commands' },
  ]),
  { title: `${burst}: total ÷ holds`, scenario: burst, bound: 'at most', limit: 1.15, figure: 'totalByHolds' },
];

/** Holds the targets against the medians; those that were not measured are left out. */
export function judgeLocks(rows: readonly Row[], contended: readonly Row<ContentionSlice>[]): LockVerdict[] {
  return lockTargets.flatMap(({ title, scenario, bound, limit, figure }) => {
    const isOurs = (row: Row | Row<ContentionSlice>) => row.scenario === scenario && row.contestant === roost;
    const row = figure === undefined ? rows.find(isOurs) : contended.find(isOurs);
    if (!row?.slice) return [];
    const values = figure && (row as Row<ContentionSlice>).rounds.map((each) => each[figure]);
    const middle = figure === undefined ? row.ratio[0] : (row as Row<ContentionSlice>).slice![figure];
    const measured = values ? ([middle, Math.min(...values), Math.max(...values)] as const) : row.ratio;
    const met = bound === 'at least' ? middle >= limit : middle <= limit;
    return [{ title, wanted: `${bound === 'at least' ? '≥' : '≤'} ${limit}`, measured, met }];
  });
}
