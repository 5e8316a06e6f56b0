export const ALGORITHMS = ['gcra', 'fixed-window', 'sliding-window', 'sliding-log', 'concurrency', 'calendar'] as const;

/** How a limit counts. */
export type AlgorithmName = (typeof ALGORITHMS)[number];

/** Which days or months: their boundaries are those of the zone, 23 to 25 hours and 28 to 31 days apart. */
export interface CalendarWindow {
  readonly unit: 'day' | 'month';
  /** Its IANA name. */
  readonly timeZone: string;
}

/** A limit as the arithmetic sees it: `limit` per `windowUs`, both integers. */
export interface Quota {
  readonly limit: number;
  readonly windowUs: number;
  /** With the algorithm `calendar`, which then is what counts; `windowUs` is how long it usually is. */
  readonly calendar?: CalendarWindow | undefined;
}

/**
 * What follows from a limit's snapshot, which is what was used of it at one moment before a request. The stores find the
 * snapshot, in Lua or in memory; all that follows from it is computed here, for every store alike. All numbers are
 * integers below 2^53, so that doubles here and in Lua compute the same to the last digit.
 */
export interface Algorithm<Snapshot> {
  /** What a request of cost 1 takes, in the unit that the limit is counted in. */
  unit(quota: Quota): number;
  /** From the numbers that the script tells. */
  told(x: number, y: number, z: number): Snapshot;
  /** Whether a request fits whose cost is at most the limit. */
  fits(snapshot: Snapshot, quota: Quota, cost: number, nowUs: number): boolean;
  /** The snapshot after a request that fits and costs something. */
  charged(snapshot: Snapshot, quota: Quota, cost: number): Snapshot;
  /** How many requests of cost 1 still fit. */
  remaining(snapshot: Snapshot, quota: Quota, nowUs: number): number;
  /** Microseconds until a request that does not fit will; its cost is at most the limit. */
  retryUs(snapshot: Snapshot, quota: Quota, cost: number, nowUs: number): number;
  /** Microseconds until the limit is as if never used. */
  resetUs(snapshot: Snapshot, quota: Quota, nowUs: number): number;
}

/** Whether no wait makes a request pass. Asked before any arithmetic: it keeps products of the cost below 2^53. */
export function neverFits({ limit }: Quota, cost: number): boolean {
  return limit === 0 || cost > limit;
}

/** How much may be used: the limit, or with what was charged regardless of it (debt) one more limit. */
export function withDebt(capacity: number): number {
  return 2 * capacity;
}

/** Rounded up: a caller who waits as long as told is never too early. */
export function usToMs(us: number): number {
  return Math.ceil(us / 1_000);
}
