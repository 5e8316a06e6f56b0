import { show } from '@roost/redis';
import { deserialize, serialize } from 'node:v8';
import { InvalidCacheOptionsError, UnstorableValueError } from '../cache.errors.js';
import type { Codec, CodecChoice } from './codec.js';
import { freeze } from './freeze.js';

/**
 * Plain data: text, numbers, booleans, null, arrays and objects. What JSON does to a value it does before the first caller
 * sees it, so that a load and a hit give the same: dates become text, NaN becomes null, class instances plain objects.
 */
const json: Codec = {
  id: 1,
  name: 'json',
  encode(value) {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new UnstorableValueError(`Expected a value that JSON can hold, got ${show(value)}`);
    return Buffer.from(text);
  },
  // No reviver: text that looks like a function, a date or a prototype stays text.
  decode: (bytes) => JSON.parse(bytes.toString()) as unknown,
  share: freeze,
};

/** Structured data with Map, Set, Date, BigInt and binary data; every reader gets a copy of its own. */
const v8: Codec = {
  id: 2,
  name: 'v8',
  encode: (value) => serialize(value),
  decode: (bytes) => deserialize(bytes) as unknown,
};

/** The codecs of a cache, by what stands in its values. */
export class Codecs {
  readonly #byId = new Map<number, Codec>([json, v8].map((codec) => [codec.id, codec]));

  /** The codec; one that is seen for the first time can from now on be read. */
  choose(choice: CodecChoice = 'json'): Codec {
    if (choice === 'json') return json;
    if (choice === 'v8') return v8;
    const known = this.#byId.get(choice.id);
    if (known === undefined) this.#byId.set(choice.id, choice);
    else if (known !== choice && known.name !== choice.name) {
      const clash = `expected each codec to have an \`id\` of its own, got ${choice.id} for ${known.name} and ${choice.name}`;
      throw new InvalidCacheOptionsError([clash]);
    }
    return choice;
  }

  /** Undefined for a codec that nobody here has used. */
  byId(id: number): Codec | undefined {
    return this.#byId.get(id);
  }
}
