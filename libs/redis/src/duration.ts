/** A length of time: `'250ms'`, `'30s'`, `'5m'`, `'1h'`, `'7d'`, or a number of milliseconds. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * Milliseconds of a {@link Duration}, a positive integer.
 * @throws RangeError when it is not one; callers add which option held it.
 */
export function toMs(duration: Duration): number {
  if (typeof duration === 'number') return positive(duration, duration);
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(duration));
  const exact = match ? Number(match[1]) * UNIT_MS[match[2] as 'ms'] : NaN;
  const rounded = Math.round(exact);
  const text = Math.abs(exact - rounded) < 1e-6 ? rounded : exact; // 1.1 h is 3960000.0000000005 ms
  return positive(text, duration);
}

function positive(ms: number, duration: Duration): number {
  if (!Number.isSafeInteger(ms) || ms <= 0) {
    throw new RangeError(
      `Expected a duration such as '30s' or a positive number of milliseconds, got ${show(duration)}`,
    );
  }
  return ms;
}

/** A rejected value as messages show it: `0` (number). */
export function show(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : textOf(value);
  return `\`${text.length > 60 ? `${text.slice(0, 60)}…` : text}\` (${value === null ? 'null' : typeof value})`;
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value); // an object without a prototype, as GraphQL makes them, has no text
  }
}
