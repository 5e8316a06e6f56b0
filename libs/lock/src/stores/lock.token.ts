/**
 * A token is `epoch << 33 | sequence`, in Redis, in the database and here: epochs count seconds since 2024-01-01, and what
 * is given by the clock begins 2^23 later with each millisecond: a thousand times that is less than the 2^33 of a second.
 */
export const TOKEN_FORMAT = { sinceMs: Date.UTC(2024, 0), sequenceBits: 33, bitsPerMs: 23 } as const;

const SEQUENCE_BITS = BigInt(TOKEN_FORMAT.sequenceBits);
const BITS_PER_MS = BigInt(TOKEN_FORMAT.bitsPerMs);
const SEQUENCE = (1n << SEQUENCE_BITS) - 1n;

/** The first token of a millisecond since 1970; tokens that were given before are smaller where clocks are right. */
export function tokenAt(ms: number): bigint {
  const since = BigInt(Math.max(Math.trunc(ms) - TOKEN_FORMAT.sinceMs, 1_000));
  return ((since / 1_000n) << SEQUENCE_BITS) | ((since % 1_000n) << BITS_PER_MS);
}

/** The token of `epoch:sequence`, as scripts tell it: neither part is ever rounded. */
export function tokenOf(text: string): bigint {
  const colon = text.indexOf(':');
  return (BigInt(text.slice(0, colon)) << SEQUENCE_BITS) | BigInt(text.slice(colon + 1));
}

/** A token as scripts take it. */
export function tokenText(token: bigint): string {
  return `${token >> SEQUENCE_BITS}:${token & SEQUENCE}`;
}
