/** A scheduler that runs every so many ms. */
export interface Interval {
  /** When the iteration before is due; undefined for the first. */
  readonly previous: number | undefined;
  readonly every: number;
  readonly now: number;
  /** By how much iterations are later than multiples of the interval; 0 when the first decides. */
  readonly offset: number;
  readonly startDate?: number;
}

/** When the next iteration is due; those that were missed are left out, and the rhythm is kept. */
export function nextByInterval(interval: Interval): { at: number; offset: number } {
  const at = Math.floor(interval.previous === undefined ? first(interval) : following(interval, interval.previous));
  return { at, offset: Math.floor(interval.offset || at % interval.every) };
}

function first({ now, every, offset, startDate }: Interval): number {
  if (startDate !== undefined) return Math.max(startDate, now);
  return offset > 0 ? nextSlot(now, every, offset) : now;
}

function following({ now, every, offset }: Interval, previous: number): number {
  return previous + every < now ? nextSlot(now, every, offset) : previous + every;
}

function nextSlot(now: number, every: number, offset: number): number {
  const slot = Math.floor(now / every) * every + offset;
  return slot <= now ? slot + every : slot;
}
