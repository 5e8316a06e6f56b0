import { inflateRawSync } from 'node:zlib';
import { readFailure, type CachedFailure } from './failure.js';
import type { Codec } from './codec.js';
import type { Codecs } from './codecs.js';
import { freeze } from './freeze.js';
import { readEnvelope, type Envelope, type EnvelopeHead, type TagVersion } from './envelope.js';

/** A value as it was read. Times are ms of the store's clock. */
export interface Held {
  readonly freshUntil: number;
  readonly keptUntil: number;
  readonly loadedAt: number;
  readonly loadMs: number;
  readonly tags: readonly TagVersion[];
  /** Of the payload. */
  readonly bytes: number;
  /** The error of a load that is shared for a moment, instead of a value. */
  readonly failure: CachedFailure | undefined;
  /** What no other value has; text of single bytes, empty for what is in no store. */
  readonly version: string;
  /** The value: the same one for each reader where it cannot be changed, a copy of its own otherwise. */
  value(): unknown;
}

/** Undefined for bytes that are no value of this cache. */
export function readHeld(bytes: Buffer, codecs: Codecs): Held | undefined {
  const envelope = readEnvelope(bytes);
  const codec = envelope && codecs.byId(envelope.codec);
  if (envelope === undefined || codec === undefined) return undefined;
  const version = envelope.version.toString('latin1');
  try {
    const payload = envelope.compressed ? inflateRawSync(envelope.payload) : envelope.payload;
    if (envelope.failure) return heldFailure(envelope, version, payload);
    return heldValue(envelope, version, codec, payload);
  } catch {
    return undefined; // damaged: as if it were not there, and the next load takes its place
  }
}

/** Text that somebody else stored, read as JSON; it lives as long as its key. Undefined for what is no JSON. */
export function foreignHeld(bytes: Buffer, now: number): Held | undefined {
  try {
    const value = freeze(JSON.parse(bytes.toString()) as unknown);
    const head = { freshUntil: Infinity, keptUntil: Infinity, loadedAt: now, loadMs: 0, tags: [] };
    return { ...head, bytes: bytes.length, version: '', failure: undefined, value: () => value };
  } catch {
    return undefined; // no JSON: damaged, or not ours at all
  }
}

/** A value and its head as one. `payload` is copied where it has to be kept. */
export function heldValue(head: EnvelopeHead, version: string, codec: Codec, payload: Buffer): Held {
  const { freshUntil, keptUntil, loadedAt, loadMs, tags } = head;
  const bytes = payload.length;
  const shared = { freshUntil, keptUntil, loadedAt, loadMs, tags, bytes, version, failure: undefined };
  if (!codec.shareable) {
    const own = Buffer.from(payload); // what the network gave is part of something larger
    codec.decode(own); // what cannot be read is no value
    return { ...shared, value: () => codec.decode(own) };
  }
  const value = codec.decode(payload);
  return { ...shared, value: () => value };
}

function heldFailure(envelope: Envelope, version: string, payload: Buffer): Held {
  const { freshUntil, keptUntil, loadedAt, loadMs, tags } = envelope;
  const failure = readFailure(payload);
  return {
    freshUntil,
    keptUntil,
    loadedAt,
    loadMs,
    tags,
    bytes: payload.length,
    version,
    failure,
    value: () => undefined,
  };
}
