import { show } from '@roost/redis';
import { InvalidLockKeyError } from './lock.errors.js';

/** What a lock is called. Parts of different places never meet: build such names by {@link lockKey}. */
export type LockName = string;

export type LockKeyPart = string | number | bigint;

/**
 * A key of several parts, encoded so that no value of one part can be mistaken for two.
 * @example
 * lockKey('car', carId, '2026-06') // car:7:2026-06
 * @throws InvalidLockKeyError when there is no part, or one is empty, undefined or not finite.
 */
export function lockKey(...parts: readonly LockKeyPart[]): LockName {
  if (parts.length === 0) throw new InvalidLockKeyError('Expected at least one part of the key, got none');
  return parts.map(textOf).join(':');
}

/**
 * The key, or keys, that someone wrote: sorted, each once.
 * @throws InvalidLockKeyError when one of them is no key.
 */
export function sortedKeys(written: LockName | readonly LockName[]): readonly LockName[] {
  const keys = typeof written === 'string' ? [written] : written;
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new InvalidLockKeyError(`Expected a key or a list of keys, got ${show(written)}`);
  }
  for (const key of keys as unknown[]) {
    if (typeof key !== 'string' || key === '') {
      throw new InvalidLockKeyError(`Expected a key to be a non-empty string, got ${show(key)}`);
    }
  }
  return keys.length === 1 ? keys : [...new Set(keys)].toSorted((a, b) => (a < b ? -1 : 1));
}

function textOf(part: LockKeyPart, index: number): string {
  const valid =
    (typeof part === 'string' && part !== '') ||
    typeof part === 'bigint' ||
    (typeof part === 'number' && Number.isFinite(part));
  if (!valid) {
    throw new InvalidLockKeyError(
      `Expected part ${index + 1} of the key to be a non-empty string or a finite number, got ${show(part)}`,
    );
  }
  return String(part).replaceAll('%', '%25').replaceAll(':', '%3A');
}
