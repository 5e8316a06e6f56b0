import { InvalidKeyError, show } from '@roost/redis';

/**
 * A key of several parts, joined by colons; a part can hold anything, and no two lists of parts make the same key.
 * @example cacheKey('commute', origin, destination) // commute:SW1A%3A1:E14
 * @throws InvalidKeyError for a part that is empty, or no text and no finite number.
 */
export function cacheKey(...parts: readonly (string | number)[]): string {
  const texts = parts.map((part) => {
    if (part === '' || !(typeof part === 'string' || Number.isFinite(part))) {
      throw new InvalidKeyError(`Each part of a key must be a non-empty text or a finite number, got ${show(part)}.`);
    }
    return String(part).replaceAll('%', '%25').replaceAll(':', '%3A');
  });
  if (texts.length === 0) throw new InvalidKeyError('A key must have a part.');
  return texts.join(':');
}
