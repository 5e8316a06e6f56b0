import { InvalidSessionCallError } from '../session.errors.js';

/** @throws InvalidSessionCallError for what is no name of a purpose: it is written in keys. */
export function checkPurpose(purpose: string): string {
  if (!/^[a-z0-9][a-z0-9_-]{0,31}$/.test(purpose)) {
    throw new InvalidSessionCallError('Expected a purpose of lower-case letters, digits, _ and -', purpose);
  }
  return purpose;
}
