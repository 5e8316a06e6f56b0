import { types } from 'node:util';

/**
 * JSON in which the names of objects are sorted: the same text for the same value, however it was written. Undefined for
 * what JSON would write as something else: functions, Maps, class instances, cycles. Dates are as JSON writes them.
 */
export function canonicalJson(value: unknown): string | undefined {
  try {
    return write(value, 0);
  } catch (error) {
    if (error instanceof NotJson) return undefined;
    throw error;
  }
}

class NotJson extends Error {}

/** Deeper than parsers of requests let anything be, and a cycle is. */
const MAX_DEPTH = 200;

function write(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) throw new NotJson();
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((each) => write(each, depth + 1)).join(',')}]`;
  if (types.isDate(value) && !Number.isNaN(value.getTime())) return JSON.stringify(value);
  if (typeof value !== 'object' || !isPlain(value)) throw new NotJson();
  const entries = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, each]) => `${JSON.stringify(name)}:${write(each, depth + 1)}`);
  return `{${entries.join(',')}}`;
}

/** GraphQL and some parsers make objects without a prototype. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}
