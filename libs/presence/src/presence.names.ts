import { InvalidPresenceMetaError, InvalidPresenceNameError } from './presence.errors.js';

const LONGEST = 128;
const MAX_META_BYTES = 1_024;
const EXPECTED = `1 to ${LONGEST} characters, without control characters`;

/**
 * A name of a room, user or device, as it was given.
 * @throws InvalidPresenceNameError when it is too long, empty, no well-formed text, or has control characters.
 */
export function checkedName(what: 'room' | 'userId' | 'deviceId', value: unknown): string {
  const fits = typeof value === 'string' && value.length > 0 && value.length <= LONGEST;
  if (!fits || !value.isWellFormed() || /\p{Cc}/u.test(value)) {
    throw new InvalidPresenceNameError(what, value, EXPECTED);
  }
  return value;
}

/**
 * What a device says of itself, as JSON.
 * @throws InvalidPresenceMetaError when it cannot be JSON, or is longer than 1 kB.
 */
export function metaText(meta: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(meta ?? null) as string | undefined;
  } catch (cause) {
    throw new InvalidPresenceMetaError('Expected `meta` to be JSON.', { cause });
  }
  if (text === undefined || Buffer.byteLength(text) > MAX_META_BYTES) {
    throw new InvalidPresenceMetaError(`Expected \`meta\` to be at most ${MAX_META_BYTES} bytes of JSON.`);
  }
  return text;
}
