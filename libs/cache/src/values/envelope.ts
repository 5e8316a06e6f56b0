import { randomFillSync } from 'node:crypto';

/**
 * What a value looks like in Redis; all numbers are big-endian. Other languages find the serialized value from byte
 * `48 + u16 at 44` on.
 *
 * | byte | what |
 * | ---- | ---- |
 * | 0    | 0xC5, which begins no JSON and no UTF-8 text of a single byte |
 * | 1    | 1, the version of this layout |
 * | 2    | id of the codec: 1 json, 2 v8, 16 and more others |
 * | 3    | flags: 1 compressed (deflate), 2 the error of a load |
 * | 4    | 12 random bytes: another value is another version |
 * | 16   | f64, until when it is fresh, ms of the server's clock |
 * | 24   | f64, until when it is kept, ms |
 * | 32   | f64, when it was loaded, ms |
 * | 40   | f32, how long the load took, ms |
 * | 44   | u16, length of the tags in bytes · 46 u16, how many |
 * | 48   | the tags: u16 length, name in UTF-8, f64 version; the first has no name and stands for everything |
 */
const HEAD_BYTES = 48;
const MAGIC = 0xc5;
const LAYOUT = 1;
/** The first bytes, which no other value has. */
export const VERSION_BYTES = 16;
/** Where the ends of freshness and of keeping stand. */
export const ENDS_AT = 16;

const COMPRESSED = 1;
const FAILURE = 2;

/** A tag as it was before the load. */
export interface TagVersion {
  /** Empty for the tag of everything. */
  readonly name: string;
  readonly version: number;
}

/** What is known of a value beside the value. Times are ms of the server's clock. */
export interface EnvelopeHead {
  readonly codec: number;
  readonly compressed: boolean;
  /** Whether it is the error of a load. */
  readonly failure: boolean;
  readonly freshUntil: number;
  readonly keptUntil: number;
  readonly loadedAt: number;
  readonly loadMs: number;
  readonly tags: readonly TagVersion[];
}

export interface Envelope extends EnvelopeHead {
  readonly payload: Buffer;
}

/** Twelve bytes that were not used before; asked of the system for many values at a time. */
export class Versions {
  readonly #random = Buffer.alloc(12 * 256);
  #used = this.#random.length;

  write(into: Buffer): void {
    if (this.#used === this.#random.length) {
      randomFillSync(this.#random);
      this.#used = 0;
    }
    this.#random.copy(into, 4, this.#used, (this.#used += 12));
  }
}

export function writeEnvelope(head: EnvelopeHead, payload: Buffer, versions: Versions): Buffer {
  const tagBytes = head.tags.reduce((sum, { name }) => sum + 10 + Buffer.byteLength(name), 0);
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + tagBytes + payload.length);
  bytes[0] = MAGIC;
  bytes[1] = LAYOUT;
  bytes[2] = head.codec;
  bytes[3] = (head.compressed ? COMPRESSED : 0) | (head.failure ? FAILURE : 0);
  versions.write(bytes);
  bytes.writeDoubleBE(head.freshUntil, ENDS_AT);
  bytes.writeDoubleBE(head.keptUntil, ENDS_AT + 8);
  bytes.writeDoubleBE(head.loadedAt, 32);
  bytes.writeFloatBE(head.loadMs, 40);
  bytes.writeUInt16BE(tagBytes, 44);
  bytes.writeUInt16BE(head.tags.length, 46);
  let at = HEAD_BYTES;
  for (const { name, version } of head.tags) {
    const length = bytes.write(name, at + 2);
    bytes.writeUInt16BE(length, at);
    bytes.writeDoubleBE(version, at + 2 + length);
    at += 10 + length;
  }
  payload.copy(bytes, at);
  return bytes;
}

/** What stands at {@link ENDS_AT}. */
export function writeEnds({ freshUntil, keptUntil }: Pick<EnvelopeHead, 'freshUntil' | 'keptUntil'>): Buffer {
  const ends = Buffer.allocUnsafe(16);
  ends.writeDoubleBE(freshUntil);
  ends.writeDoubleBE(keptUntil, 8);
  return ends;
}

/** Undefined for what is no envelope of this layout: the mark of an invalidation, foreign text, damaged bytes. */
export function readEnvelope(bytes: Buffer): Envelope | undefined {
  if (bytes.length < HEAD_BYTES || bytes[0] !== MAGIC || bytes[1] !== LAYOUT) return undefined;
  const payloadAt = HEAD_BYTES + bytes.readUInt16BE(44);
  if (payloadAt > bytes.length) return undefined;
  const tags: TagVersion[] = [];
  let at = HEAD_BYTES;
  for (let left = bytes.readUInt16BE(46); left > 0; left--) {
    const end = at + 10 + (at + 2 <= payloadAt ? bytes.readUInt16BE(at) : Infinity);
    if (end > payloadAt) return undefined;
    tags.push({ name: bytes.toString('utf8', at + 2, end - 8), version: bytes.readDoubleBE(end - 8) });
    at = end;
  }
  if (at !== payloadAt) return undefined;
  const flags = bytes[3]!;
  return {
    codec: bytes[2]!,
    compressed: (flags & COMPRESSED) !== 0,
    failure: (flags & FAILURE) !== 0,
    freshUntil: bytes.readDoubleBE(ENDS_AT),
    keptUntil: bytes.readDoubleBE(ENDS_AT + 8),
    loadedAt: bytes.readDoubleBE(32),
    loadMs: bytes.readFloatBE(40),
    tags,
    payload: bytes.subarray(payloadAt),
  };
}
