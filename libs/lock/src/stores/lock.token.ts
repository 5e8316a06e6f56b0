const SEQUENCE_BITS = 33n;
const SEQUENCE = (1n << SEQUENCE_BITS) - 1n;

/** The token of `epoch:sequence`, as scripts tell it: neither part is ever rounded. */
export function tokenOf(text: string): bigint {
  const colon = text.indexOf(':');
  return (BigInt(text.slice(0, colon)) << SEQUENCE_BITS) | BigInt(text.slice(colon + 1));
}

/** A token as scripts take it. */
export function tokenText(token: bigint): string {
  return `${token >> SEQUENCE_BITS}:${token & SEQUENCE}`;
}
