import type { Rated, Row } from './runner.js';
import type { Bound } from './suites/suite.js';

/** What was measured of a bound. */
export interface BoundVerdict {
  readonly title: string;
  /** `≥ 0.95`, as it is written. */
  readonly wanted: string;
  readonly measured: readonly [middle: number, least: number, most: number];
  readonly met: boolean;
}

/** Holds the bounds against the medians; those that were not measured are left out. */
export function judgeBounds(bounds: readonly Bound[], rows: readonly Row<Rated>[]): BoundVerdict[] {
  return bounds.flatMap(({ title, scenario, contestant, bound, limit, figure }) => {
    const row = rows.find((each) => each.scenario === scenario && each.contestant === contestant);
    if (!row?.slice) return [];
    const measured = figure === undefined ? row.ratio : figureOf(row, figure);
    const met = bound === 'at least' ? measured[0] >= limit : measured[0] <= limit;
    return [{ title, wanted: `${bound === 'at least' ? '≥' : '≤'} ${limit}`, measured, met }];
  });
}

function figureOf({ slice, rounds }: Row<Rated>, figure: string): [middle: number, least: number, most: number] {
  const read = (each: Rated | undefined) => (each as unknown as Record<string, number>)[figure] ?? NaN;
  const values = rounds.map(read);
  return [read(slice), Math.min(...values), Math.max(...values)];
}
