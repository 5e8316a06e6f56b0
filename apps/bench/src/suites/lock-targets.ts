import type { ContentionSlice } from '../contention-slice.js';
import type { Bound } from './suite.js';

const inOne = '50 greedy contenders in 1 process';
const inFour = '13 greedy contenders in each of 4 processes';
const burst = 'a burst of 52 in 4 processes';

type LockTarget = Omit<Bound, 'contestant'> & { readonly figure?: keyof ContentionSlice };

const promised: readonly LockTarget[] = [
  { title: 'own locks, 1 at once, against raw', scenario: 'own locks, 1 at once', bound: 'at least', limit: 0.9 },
  { title: 'own locks, 64 at once, against raw', scenario: 'own locks, 64 at once', bound: 'at least', limit: 2 },
  ...[inOne, inFour].flatMap((scenario): LockTarget[] => [
    { title: `${scenario}: fairness`, scenario, bound: 'at least', limit: 0.95, figure: 'fairness' },
    { title: `${scenario}: hand-over p99, ms`, scenario, bound: 'at most', limit: 2, figure: 'handOverP99Ms' },
    { title: `${scenario}: commands per section`, scenario, bound: 'at most', limit: 2, figure: 'commands' },
  ]),
  { title: `${burst}: total ÷ holds`, scenario: burst, bound: 'at most', limit: 1.15, figure: 'totalByHolds' },
];

/** What locks have to reach. */
export const lockTargets: readonly Bound[] = promised.map((each) => ({ ...each, contestant: 'Roost LockService' }));
