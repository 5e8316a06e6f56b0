import { digest } from '@roost/redis';
import { InvalidLockKeyError } from '../lock.errors.js';

/** An index of Postgres takes 2704 bytes. */
const MAX_BYTES = 1_000;

/**
 * What a lock is called in a database: its own name, or its beginning and a digest when that is too long for an index.
 * @throws InvalidLockKeyError when it holds NUL, which Postgres cannot store and refuses with an error that helps nobody.
 */
export function storedName(resource: string): string {
  if (resource.includes('\0')) throw new InvalidLockKeyError('Expected a key to be without NUL: a database sees it');
  if (Buffer.byteLength(resource) <= MAX_BYTES) return resource;
  return `${resource.slice(0, 200)}…${digest(resource)}`;
}
