/** What a request wants of a cache by its `Cache-Control` (RFC 9111 §5.2.1). */
export interface RequestWishes {
  readonly noStore: boolean;
  /** A response that is older is not wanted, in ms. */
  readonly maxAgeMs: number;
}

/** Undefined when it wants nothing. */
export function wishesOf(cacheControl: string | string[] | undefined): RequestWishes | undefined {
  if (cacheControl === undefined) return undefined;
  const directives = String(cacheControl)
    .toLowerCase()
    .split(',')
    .map((directive) => directive.trim());
  const age = directives.find((directive) => /^max-age="?\d+"?$/.test(directive));
  const maxAgeMs = directives.includes('no-cache') ? -1 : age === undefined ? Infinity : secondsOf(age) * 1_000;
  const noStore = directives.includes('no-store');
  return noStore || maxAgeMs < Infinity ? { noStore, maxAgeMs } : undefined;
}

/** `max-age=0` wants a new one, also within the same millisecond. */
function secondsOf(directive: string): number {
  return Number(/\d+/.exec(directive)![0]) || -1;
}
