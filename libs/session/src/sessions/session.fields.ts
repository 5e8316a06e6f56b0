import { SessionTooLargeError, UnstorableValueError } from '../session.errors.js';
import type { SessionChanges } from './session.store.js';

/** What may be stored in a session: JSON by name. */
export type SessionData = Record<string, unknown>;

/** What Redis needs for a field beside its text. */
export const FIELD_BYTES = 32;

/**
 * JSON of each value. What is undefined or a function is not stored.
 * @throws UnstorableValueError, SessionTooLargeError
 */
export function encodeFields(data: object, maxBytes: number): Map<string, string> {
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(data)) {
    const json = jsonOf(`\`${name}\` of the session`, value);
    if (json === undefined) continue;
    if (!name.isWellFormed()) throw new UnstorableValueError(`The name of \`${name}\``);
    fields.set(name, json);
  }
  const bytes = bytesOf(fields);
  if (bytes > maxBytes) throw new SessionTooLargeError('The session', bytes, maxBytes);
  return fields;
}

/** What they take in Redis, about. */
export function bytesOf(fields: ReadonlyMap<string, string>): number {
  let bytes = 0;
  for (const [name, json] of fields) bytes += FIELD_BYTES + Buffer.byteLength(name) + Buffer.byteLength(json);
  return bytes;
}

/** The values again; undefined when one is no JSON. */
export function decodeFields(fields: ReadonlyMap<string, string>): SessionData | undefined {
  try {
    // fromEntries makes an own property of `__proto__`, too.
    return Object.fromEntries([...fields].map(([name, json]) => [name, JSON.parse(json) as unknown]));
  } catch {
    return undefined; // somebody else wrote there: the caller counts it and goes on without a session
  }
}

/** What has to be written to come from one to the other. */
export function changesBetween(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): SessionChanges {
  const set = new Map([...after].filter(([name, json]) => before.get(name) !== json));
  return { set, removed: [...before.keys()].filter((name) => !after.has(name)) };
}

/** @throws UnstorableValueError for a BigInt or a cycle; undefined for what JSON leaves out. */
export function jsonOf(what: string, value: unknown): string | undefined {
  try {
    return JSON.stringify(value) as string | undefined;
  } catch (error) {
    throw new UnstorableValueError(what, error);
  }
}
