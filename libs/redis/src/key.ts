import { createHash } from 'node:crypto';
import { show, toMs, type Duration } from './duration.js';
import { InvalidKeyError, InvalidOptionsError } from './redis.errors.js';

/** The names between braces in a key template. */
export type KeyParts<T extends string> = T extends `${string}{${infer Part}}${infer Rest}`
  ? Part | KeyParts<Rest>
  : never;

export interface KeyOptions<Part extends string> {
  /** How long a key of this kind lives at most. */
  readonly ttl: Duration;
  /** The largest value in bytes, for the memory estimate of `roost keys`. */
  readonly maxBytes: number;
  /** The part that decides the Redis Cluster hash slot; it is written as a hash tag. */
  readonly slot?: Part;
  /** A constant hash tag: all keys of this kind, and of others with the same tag, live in one slot. */
  readonly tag?: string;
}

/** One key, without the product's prefix, which each connection adds. Made only by {@link defineKey}. */
export class Key {
  constructor(
    readonly name: string,
    /** What Redis Cluster hashes: equal for keys that may meet in one script. */
    readonly slot: string,
  ) {}
}

/** A kind of key: its template, lifetime and size. */
export interface KeyDefinition<Part extends string = string> {
  readonly template: string;
  readonly ttlMs: number;
  readonly maxBytes: number;
  /** Estimated bytes that one such key takes in Redis, its longest value and bookkeeping included. */
  readonly estimatedBytes: number;
  of(parts: Readonly<Record<Part, string | number | bigint>>): Key;
}

const MAX_NAME_BYTES = 448; // with a prefix of at most 63 bytes and its colon a key stays within 512
const MAX_PARTS = 8;
/** Nothing to encode but colons, which names of several words have. */
const PLAIN = /^[A-Za-z0-9_.@+=,:-]+$/;
// Dictionary entry, expiry entry, object header and allocator rounding; 127 B were measured for a 40 B key on Redis 7.0.
const OVERHEAD_BYTES = 88;

/**
 * Declares a kind of key. Parts are encoded so that no value of a part can change the key's structure, hash tag or
 * length bound, or match another key of any kind whose template differs in a literal word.
 * @example
 * const carLock = defineKey('lock:car:{carId}:{dates}', { ttl: '30s', maxBytes: 512, slot: 'carId' });
 * carLock.of({ carId: 'car-1', dates: '2026-06-01' });
 */
export function defineKey<const T extends string>(
  template: T,
  options: KeyOptions<KeyParts<T>>,
): KeyDefinition<KeyParts<T>> {
  const pieces = template.split(/\{(\w+)\}/); // literal, part, literal, part, …, literal
  const names = pieces.filter((_, index) => index % 2 === 1);
  const problems = problemsOf(template, names, options);
  if (problems.length > 0) throw new InvalidOptionsError(`defineKey(${show(template)})`, problems);

  const head = options.tag === undefined ? '' : `{${options.tag}}:`;
  const join = (encoded: readonly string[]) => {
    let name = head + pieces[0]!;
    for (let i = 0; i < names.length; i++) {
      name += (names[i] === options.slot ? `{${encoded[i]!}}` : encoded[i]!) + pieces[2 * i + 2]!;
    }
    return name;
  };

  return {
    template: head + template,
    ttlMs: toMs(options.ttl),
    maxBytes: options.maxBytes,
    estimatedBytes: OVERHEAD_BYTES + template.length + 16 * names.length + options.maxBytes,
    of(parts) {
      const values = names.map((name) => textOf(template, name, parts[name as KeyParts<T>]));
      const encoded = values.map(encode);
      let name = join(encoded);
      while (name.length > MAX_NAME_BYTES) {
        const longest = indexOfLongest(encoded);
        encoded[longest] = hash(values[longest]!);
        name = join(encoded);
      }
      const slot = options.tag ?? (options.slot === undefined ? name : encoded[names.indexOf(options.slot)]!);
      return new Key(name, slot);
    },
  };
}

function problemsOf(template: string, names: readonly string[], options: KeyOptions<string>): string[] {
  const problems: string[] = [];
  const literal = template.replace(/\{\w+\}/g, '');
  if (!/^[a-z0-9:_-]+$/.test(literal) || literal.length > 96) {
    problems.push(`Expected lower-case words, colons and {parts} in the template, got ${show(template)}`);
  }
  if (/[^:]\{|\}[^:]/.test(template)) {
    problems.push(`Expected a colon between a {part} and what is beside it, got ${show(template)}`); // else 1-2,3 is 1,2-3
  }
  if (names.length > MAX_PARTS) problems.push(`Expected at most ${MAX_PARTS} parts, got ${names.length}`);
  if (new Set(names).size !== names.length) problems.push('Expected each part once');
  if (!Number.isSafeInteger(options.maxBytes) || options.maxBytes <= 0) {
    problems.push(`Expected \`maxBytes\` to be a positive integer, got ${show(options.maxBytes)}`);
  }
  if (options.slot !== undefined && !names.includes(options.slot)) {
    problems.push(`Expected \`slot\` to be one of the parts, got ${show(options.slot)}`);
  }
  if (options.tag !== undefined && (options.slot !== undefined || !/^[a-z0-9-]+$/.test(options.tag))) {
    problems.push(`Expected either \`slot\` or a lower-case \`tag\`, got tag ${show(options.tag)}`);
  }
  try {
    toMs(options.ttl);
  } catch (error) {
    problems.push(`\`ttl\`: ${(error as Error).message}`);
  }
  return problems;
}

function textOf(template: string, name: string, value: unknown): string {
  const valid =
    (typeof value === 'string' && value !== '') ||
    typeof value === 'bigint' ||
    (typeof value === 'number' && Number.isFinite(value));
  if (!valid) {
    throw new InvalidKeyError(
      `Part "${name}" of key "${template}" must be a non-empty string or a finite number, got ${show(value)}.`,
    );
  }
  return String(value);
}

/** Percent-encodes every byte that means anything to Redis or to a key's structure; `~` stays free to mark hashes. */
function encode(text: string): string {
  if (PLAIN.test(text)) return text.replaceAll(':', '%3A');
  // Unpaired surrogates have no UTF-8 form: encoding them would make different texts equal.
  if (text.length > MAX_NAME_BYTES || !text.isWellFormed()) return hash(text);
  return encodeURIComponent(text).replace(
    /[!'()*~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function hash(text: string): string {
  return `~${createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('base64url')}`;
}

function indexOfLongest(texts: readonly string[]): number {
  return texts.reduce((longest, text, index) => (text.length > texts[longest]!.length ? index : longest), 0);
}
