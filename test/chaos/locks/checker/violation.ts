/** Something that must not have happened. */
export interface Violation {
  readonly check: string;
  readonly message: string;
  /** The lines of the history that show it. */
  readonly lines: readonly string[];
}

const NS_PER_MS = 1_000_000n;

/** Milliseconds as a difference of times in the history. */
export function ns(ms: number): bigint {
  return BigInt(Math.round(ms)) * NS_PER_MS;
}

/** A difference of times in the history in milliseconds. */
export function toMs(difference: bigint): number {
  return Number(difference) / 1e6;
}
