import { DateTime } from 'luxon';
import type { CalendarWindow } from './algorithm.js';

/** One day or month, in µs since the epoch. */
export interface CalendarPeriod {
  readonly index: number;
  readonly endsUs: number;
}

/** How many boundaries a script is told: the beginnings of the period before, the present, the next two, and their end. */
const AROUND = [-1, 0, 1, 2, 3];

/**
 * Knows where days and months begin. Looking that up takes longer than deciding, so boundaries are kept until the clock
 * has left them. One for each store, as stores' clocks differ.
 */
export class Calendars {
  readonly #known = new Map<string, readonly number[]>();

  /** The period of a moment; a period is called by its beginning. */
  periodAt(calendar: CalendarWindow, nowUs: number): CalendarPeriod {
    const boundaries = this.around(calendar, nowUs);
    return { index: boundaries[1]!, endsUs: boundaries[2]! };
  }

  /** The boundaries of the periods around a moment, the second and the third those of its own. */
  around(calendar: CalendarWindow, nowUs: number): readonly number[] {
    const known = this.#known.get(nameOf(calendar));
    if (known !== undefined && known[1]! <= nowUs && nowUs < known[2]!) return known;
    const boundaries = boundariesAround(calendar, nowUs);
    this.#known.set(nameOf(calendar), boundaries);
    return boundaries;
  }

  /** What was last looked up, whatever the time; else what is around `nowUs`. */
  last(calendar: CalendarWindow, nowUs: () => number): readonly number[] {
    return this.#known.get(nameOf(calendar)) ?? this.around(calendar, nowUs());
  }
}

function boundariesAround({ unit, timeZone }: CalendarWindow, nowUs: number): readonly number[] {
  const start = beginningOf(DateTime.fromMillis(Math.floor(nowUs / 1_000), { zone: timeZone }), unit);
  return AROUND.map((periods) => beginningOf(start.plus({ [unit]: periods }), unit).toMillis() * 1_000);
}

/** Where midnight comes twice, because clocks are set back to it, the day begins at the first. */
function beginningOf(time: DateTime, unit: CalendarWindow['unit']): DateTime {
  const start = time.startOf(unit);
  const before = start.minus({ hours: 1 });
  return before[unit] === start[unit] ? before.startOf(unit) : start; // `hasSame` is off by that hour, too
}

function nameOf({ unit, timeZone }: CalendarWindow): string {
  return `${unit} ${timeZone}`;
}
