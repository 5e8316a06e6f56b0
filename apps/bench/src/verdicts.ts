import type { Row } from './runner.js';
import type { Slice } from './slice.js';
import { median } from './statistics.js';
import type { Target } from './suites/targets.js';

/** The figures that targets are about. */
export type Judged = Pick<Slice, 'perSecond' | 'p99Ms' | 'clientCpuUs'>;

/** What was measured of a target. */
export interface Verdict {
  readonly target: Target;
  /** The best of the rivals; undefined when one of the two was not measured, or is broken. */
  readonly rival: string | undefined;
  /** How many times as good as that rival in the same round; median, least and most. */
  readonly ratio: readonly [middle: number, least: number, most: number];
  /** How many times less CPU the process took per operation; median. */
  readonly cpuRatio: number;
  readonly met: boolean | undefined;
}

const NOT_MEASURED = { rival: undefined, ratio: [NaN, NaN, NaN], cpuRatio: NaN, met: undefined } as const;

/** Holds every target against the rows that were measured. */
export function judge(targets: readonly Target[], rows: readonly Row<Judged>[]): Verdict[] {
  return targets.map((target) => {
    const find = (contestant: string) =>
      rows.find((row) => row.scenario === target.scenario && row.contestant === contestant && row.slice);
    const own = find(target.contestant);
    const rivals = target.rivals.map(find).filter((row) => row !== undefined);
    if (!own || rivals.length === 0) return { target, ...NOT_MEASURED };
    const goodness = (slice: Judged) => (target.measure === 'p99' ? 1 / slice.p99Ms : slice.perSecond);
    const best = rivals.reduce((one, other) => (goodness(other.slice!) > goodness(one.slice!) ? other : one));
    const perRound = (ratio: (ours: Judged, theirs: Judged) => number) =>
      own.rounds.map((ours, round) => ratio(ours, best.rounds[round]!));
    const ratios = perRound((ours, theirs) => goodness(ours) / goodness(theirs));
    const middle = median(ratios);
    return {
      target,
      rival: best.contestant,
      ratio: [middle, Math.min(...ratios), Math.max(...ratios)],
      cpuRatio: median(perRound((ours, theirs) => theirs.clientCpuUs / ours.clientCpuUs)),
      met: middle >= target.atLeast,
    };
  });
}
