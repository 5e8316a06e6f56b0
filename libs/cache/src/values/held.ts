import { inflateRawSync } from 'node:zlib';
import type { Codec } from './codec.js';
import type { Codecs } from './codecs.js';
import { readEnvelope, VERSION_BYTES, type EnvelopeHead, type TagVersion } from './envelope.js';
import { readFailure, type CachedFailure } from './failure.js';

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
  /** The value: the same one for each reader where nobody can change it, a copy of its own otherwise. */
  value(): unknown;
  /** Before it is kept for longer than its readers need it. */
  keep(): void;
}

/** Whether it is a value, and fresh; `now` in ms of the store's clock. */
export function isFresh(held: Held | undefined, now: number): held is Held {
  return held !== undefined && held.failure === undefined && held.freshUntil > now;
}

/** Whether it is a value, and may be served though it is not fresh any more; `now` in ms of the store's clock. */
export function isKept(held: Held | undefined, now: number): held is Held {
  return held !== undefined && held.failure === undefined && held.keptUntil > now;
}

/** How values are given to their readers. */
export interface Reading {
  readonly codecs: Codecs;
  /** Whether one value may serve many readers; otherwise each gets a copy of his own. */
  readonly shares: boolean;
}

/** A thousandth of it may become so much: what a stranger has written must not take the memory of every reader. */
const MOST_INFLATED_BYTES = 64 * 1_024 * 1_024;

/** Undefined for bytes that are no value of this cache. */
export function readHeld(bytes: Buffer, { codecs, shares }: Reading): Held | undefined {
  const envelope = readEnvelope(bytes);
  const codec = envelope && codecs.byId(envelope.codec);
  if (envelope === undefined || codec === undefined) return undefined;
  const version = bytes.toString('latin1', 0, VERSION_BYTES);
  try {
    const payload = envelope.compressed
      ? inflateRawSync(envelope.payload, { maxOutputLength: MOST_INFLATED_BYTES })
      : envelope.payload;
    if (envelope.failure) return new HeldFailure(envelope, version, payload.length, readFailure(payload));
    return heldValue(envelope, version, codec, payload, shares);
  } catch {
    return undefined; // damaged: as if it were not there, and the next load takes its place
  }
}

/** A value and its head as one. @throws what the codec says of a payload that is damaged. */
export function heldValue(head: EnvelopeHead, version: string, codec: Codec, payload: Buffer, shares: boolean): Held {
  const value = codec.decode(payload);
  if (shares && codec.share !== undefined) return new HeldShared(head, version, payload.length, codec.share(value));
  return new HeldCopies(head, version, payload, codec, value);
}

/** Text that somebody else stored, read as JSON; it lives as long as its key. Undefined for what is no JSON. */
export function foreignHeld(bytes: Buffer, now: number, { codecs, shares }: Reading): Held | undefined {
  const head = { freshUntil: Infinity, keptUntil: Infinity, loadedAt: now, loadMs: 0, tags: [] };
  try {
    return heldValue(
      { ...head, codec: 1, compressed: false, failure: false },
      '',
      codecs.choose('json'),
      bytes,
      shares,
    );
  } catch {
    return undefined; // no JSON: damaged, or not ours at all
  }
}

abstract class HeldHead implements Held {
  readonly freshUntil: number;
  readonly keptUntil: number;
  readonly loadedAt: number;
  readonly loadMs: number;
  readonly tags: readonly TagVersion[];
  readonly failure: CachedFailure | undefined = undefined;

  constructor(
    head: EnvelopeHead,
    readonly version: string,
    readonly bytes: number,
  ) {
    this.freshUntil = head.freshUntil;
    this.keptUntil = head.keptUntil;
    this.loadedAt = head.loadedAt;
    this.loadMs = head.loadMs;
    this.tags = head.tags;
  }

  abstract value(): unknown;

  keep(): void {}
}

class HeldShared extends HeldHead {
  readonly #value: unknown;

  constructor(head: EnvelopeHead, version: string, bytes: number, value: unknown) {
    super(head, version, bytes);
    this.#value = value;
  }

  value(): unknown {
    return this.#value;
  }
}

class HeldCopies extends HeldHead {
  readonly #codec: Codec;
  #payload: Buffer;
  #first: { readonly value: unknown } | undefined;

  constructor(head: EnvelopeHead, version: string, payload: Buffer, codec: Codec, value: unknown) {
    super(head, version, payload.length);
    this.#codec = codec;
    this.#payload = payload;
    this.#first = { value };
  }

  value(): unknown {
    const first = this.#first;
    this.#first = undefined;
    return first === undefined ? this.#codec.decode(this.#payload) : first.value;
  }

  /** What the network gave is part of something larger, which would stay with it. */
  override keep(): void {
    this.#payload = Buffer.from(this.#payload);
  }
}

class HeldFailure extends HeldHead {
  override readonly failure: CachedFailure;

  constructor(head: EnvelopeHead, version: string, bytes: number, failure: CachedFailure) {
    super(head, version, bytes);
    this.failure = failure;
  }

  value(): unknown {
    return undefined;
  }
}
