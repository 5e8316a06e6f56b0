/** How a limit counts. */
export type AlgorithmName = 'gcra' | 'fixed-window' | 'sliding-window' | 'sliding-log' | 'concurrency' | 'calendar';

/** A limit as the arithmetic sees it: `limit` per `windowUs`, both integers. */
export interface Quota {
  readonly limit: number;
  readonly windowUs: number;
}

/**
 * How full a limit is at one moment: `used` of `capacity`, where a request of cost 1 takes `unit`. All integers below
 * 2^53, so that doubles here and in Lua compute the same to the last digit.
 */
export interface Level {
  readonly used: number;
  readonly unit: number;
  readonly capacity: number;
  /** Microseconds until all of it is free at once; `null` when it drains steadily, one unit of time per microsecond. */
  readonly endsInUs: number | null;
}

/**
 * One algorithm over its own state; `undefined` is a subject never seen. `decide.lua.ts` says how much is used; all that
 * follows from it is computed here, for every store alike.
 */
export interface Algorithm<State> {
  level(state: State | undefined, quota: Quota, nowUs: number): Level;
  /** The level at which this much is used. */
  levelOf(used: number, quota: Quota, nowUs: number): Level;
  /** The state of a level; only called with `used` above 0. */
  state(level: Level, quota: Quota, nowUs: number): State;
}

/** Whether a request of this cost fits. */
export function fits(level: Level, limit: number, cost: number): boolean {
  // `cost <= limit` first: it keeps the product below 2^53.
  return limit > 0 && cost <= limit && level.used + cost * level.unit <= level.capacity;
}

/** The level after a request that fits. */
export function charged({ used, unit, capacity, endsInUs }: Level, cost: number): Level {
  return { used: used + cost * unit, unit, capacity, endsInUs };
}

/** How many requests of cost 1 still fit. */
export function remainingOf(level: Level): number {
  return Math.max(Math.floor((level.capacity - level.used) / level.unit), 0);
}

/** Microseconds until the limit is as if never used. */
export function resetUsOf(level: Level): number {
  return level.used === 0 ? 0 : (level.endsInUs ?? level.used);
}

/** Microseconds until a request that does not fit will; `null` when it never will. */
export function retryUsOf(level: Level, limit: number, cost: number): number | null {
  if (limit === 0 || cost > limit) return null;
  return level.endsInUs ?? level.used + cost * level.unit - level.capacity;
}

/** Rounded up: a caller who waits as long as told is never too early. */
export function usToMs(us: number): number {
  return Math.ceil(us / 1_000);
}
