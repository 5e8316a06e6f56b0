import { JobTooLargeError, NonSerializableError } from '../queue.errors.js';

/**
 * The data as it will arrive: through JSON. What JSON would drop or change in silence is refused.
 * @throws NonSerializableError, JobTooLargeError, and TypeError for a BigInt or a cycle, as JSON does.
 */
export function jsonOf(data: unknown, maxBytes: number, what = 'data'): unknown {
  const text = JSON.stringify(data);
  if (text === undefined) {
    if (data === undefined) return {};
    throw new NonSerializableError(what, kindOf(data));
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw new JobTooLargeError(bytes, maxBytes);
  find(data, what);
  return JSON.parse(text);
}

/** Walks what JSON has walked already, which had no cycle. */
function find(value: unknown, path: string): void {
  if (typeof value === 'string') {
    // Postgres refuses U+0000 in JSON, so a job with it would be accepted by one store and not by another.
    if (value.includes('\u0000')) throw new NonSerializableError(path, 'a text with U+0000');
    return;
  }
  if (typeof value === 'number' && !Number.isFinite(value)) throw new NonSerializableError(path, String(value));
  if (typeof value === 'function' || typeof value === 'symbol') throw new NonSerializableError(path, kindOf(value));
  if (typeof value !== 'object' || value === null) return;
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') {
    if (Buffer.isBuffer(value)) throw new NonSerializableError(path, 'a Buffer');
    return; // a Date, or whatever says itself how it wants to travel
  }
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value) || value instanceof RegExp) {
    throw new NonSerializableError(path, kindOf(value));
  }
  if (Array.isArray(value)) {
    value.forEach((each, index) => find(each, `${path}[${index}]`));
    return;
  }
  for (const [name, each] of Object.entries(value)) {
    if (name.includes('\u0000')) throw new NonSerializableError(path, 'an object with U+0000 in a name');
    if (each !== undefined) find(each, `${path}.${name}`);
  }
}

function kindOf(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `a ${value.constructor?.name ?? 'strange object'}`;
  return `a ${typeof value}`;
}
