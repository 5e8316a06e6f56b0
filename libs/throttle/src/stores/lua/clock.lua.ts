/** What differs between the scripts of production and those that conformance tests run. */
export interface DecideVariant {
  /** A Lua expression for `{ seconds, microseconds }`. Production has Redis' own clock and no way to be given another. */
  readonly clock: string;
  /** Added to every expiry, in ms: under a clock that stands still, keys must outlive the test. */
  readonly keepMs: number;
}

/** Redis' own clock, and expiries as they are. */
export const PRODUCTION: DecideVariant = { clock: `redis.call('TIME')`, keepMs: 0 };

/** How many charges of one limit can be settled at a time; beyond it the oldest stays charged. */
export const MAX_PENDING = 256;

/** An error that leaves the value as it is. */
export const FOREIGN = `error('ROOST foreign value at a rate limit', 0)`;

/** The time, in µs. Integers are passed to Redis as numbers, exactly (`%.17g`); Lua's own `..` has `%.14g`. */
export function nowLua({ clock }: DecideVariant): string {
  return `
local time = ${clock}
local now = time[1] * 1000000 + time[2]`;
}
