import { show } from '@roost/redis';
import { UnstorableResultError } from '../lock.errors.js';

const DEEPEST = 64;

/**
 * A result as text; empty for undefined. Only what comes back equal is taken: a Date would be a string for the second
 * caller.
 * @throws UnstorableResultError that says where in the result the first problem is.
 */
export function encodeResult(result: unknown, maxBytes: number): string {
  if (result === undefined) return '';
  const problem = problemOf(result, 'the result', 0);
  if (problem !== undefined) throw new UnstorableResultError(problem);
  const text = JSON.stringify(result);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw new UnstorableResultError(`the result has ${bytes} bytes, ${maxBytes} at most are kept`);
  return text;
}

/** What {@link encodeResult} was given. */
export function decodeResult(text: string): unknown {
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}

function problemOf(value: unknown, at: string, depth: number): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${at} is ${show(value)}`;
  if (typeof value !== 'object') return `${at} is ${typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`}`;
  if (depth === DEEPEST) return `${at} lies deeper than ${DEEPEST} levels, or in a circle`;
  if (Array.isArray(value)) return firstOf(value.keys(), (i) => problemOf(value[i], `${at}[${i}]`, depth + 1));
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    return `${at} is a ${(value.constructor as { name?: string } | undefined)?.name ?? 'class instance'}`;
  }
  // JSON leaves properties out that are undefined, which reads the same.
  return firstOf(Object.entries(value), ([name, each]: [string, unknown]) =>
    each === undefined ? undefined : problemOf(each, `${at}.${name}`, depth + 1),
  );
}

function firstOf<T>(items: Iterable<T>, problemOfEach: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const problem = problemOfEach(item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
