import { Keyv, type KeyvOptions } from 'keyv';
import { UnsupportedKeyvError } from './cache-manager.errors.js';

/**
 * The texts of Keyv 5, written and read so that nothing in a value can fail or run: Keyv's own functions call any `toJSON`,
 * and throw for what is no JSON. What cannot be written becomes no text, which is not stored; what cannot be read is a miss.
 */
export const keyvFormat = {
  serialize: (data: unknown) => textOf(data) as string,
  deserialize: (text: string) => read(text),
} satisfies KeyvOptions;

/** Why a value has no text. */
export class Unwritable {
  constructor(readonly cause: unknown) {}
}

function textOf(data: unknown): string | Unwritable {
  try {
    return JSON.stringify(data, function (this: Record<string, unknown>, key, value: unknown) {
      const held = this[key];
      if (Buffer.isBuffer(held)) return `:base64:${held.toString('base64')}`;
      return typeof value === 'string' && value.startsWith(':') ? `:${value}` : value;
    });
  } catch (error) {
    return new Unwritable(error);
  }
}

const plain = new Keyv();

function read<Value>(text: string): { value?: Value; expires?: number | undefined } {
  try {
    return plain.deserialize!<Value>(text) as { value?: Value; expires?: number };
  } catch {
    return {}; // what somebody else wrote, or a disk has spoilt, is no value
  }
}

/**
 * Keyv 6 answers without the lifetime of a value: `wrap` of cache-manager 7 then loads each time, and nothing says so.
 * @throws UnsupportedKeyvError when this Keyv does not work with cache-manager 7.
 */
export async function checkKeyv(Candidate: typeof Keyv = Keyv): Promise<void> {
  const keyv = new Candidate();
  let raw: unknown;
  try {
    await keyv.set('probe', 'value', 60_000);
    raw = await keyv.get('probe', { raw: true });
  } catch (error) {
    throw new UnsupportedKeyvError({ cause: error });
  }
  const { value, expires } = (raw ?? {}) as { value?: unknown; expires?: unknown };
  if (value !== 'value' || typeof expires !== 'number') throw new UnsupportedKeyvError();
}
