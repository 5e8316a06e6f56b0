import { defineKey, digest, Key } from '@roost/redis';
import type { AlgorithmName } from '../algorithms/algorithm.js';

// One constant hash tag: limits of different subjects (a user's and an address') are decided by one script, also on a
// Cluster. What that costs is written down in docs/decisions/0010-one-slot-for-rate-limits.md.
const options = { tag: 'rate', ttl: '366d', maxBytes: 40 } as const;

// What can be settled follows the count: 256 charges with names of 22 bytes at most.
const counted = { ...options, maxBytes: 16_000 } as const;
// One member for each unit of at most 10 000, twice as many with debt.
const ledger = { ...options, maxBytes: 2_000_000 } as const;

const gcraKey = defineKey('rate:gcra:{policy}:{subject}', counted);
const fixedWindowKey = defineKey('rate:fixed-window:{policy}:{subject}', counted);
const slidingWindowKey = defineKey('rate:sliding-window:{policy}:{subject}', counted);
const slidingLogKey = defineKey('rate:sliding-log:{policy}:{subject}', ledger);
const concurrencyKey = defineKey('rate:concurrency:{policy}:{subject}', ledger);
const calendarKey = defineKey('rate:calendar:{policy}:{subject}', counted);
const violationsKey = defineKey('rate:violations:{policy}:{subject}', options);

/** Every kind of key this lib writes. The algorithm is part of the key, so that changing it starts a limit anew. */
export const throttleKeys = [
  gcraKey,
  fixedWindowKey,
  slidingWindowKey,
  slidingLogKey,
  concurrencyKey,
  calendarKey,
  violationsKey,
] as const;

const keyOf: Readonly<Record<AlgorithmName | 'violations', Pick<typeof gcraKey, 'of'>>> = {
  gcra: gcraKey,
  'fixed-window': fixedWindowKey,
  'sliding-window': slidingWindowKey,
  'sliding-log': slidingLogKey,
  concurrency: concurrencyKey,
  calendar: calendarKey,
  violations: violationsKey,
};

/** Where one limit of one subject is counted, or the refusals by it. The subject is a digest already: see {@link subjectDigest}. */
export function limitKey(algorithm: AlgorithmName | 'violations', policy: string, subject: string): Key {
  return keyOf[algorithm].of({ policy, subject });
}

/** A key that may be asked about again and again. */
export class LimitKey extends Key {
  /** What was found under it in this process: looked at first the next time. */
  found: unknown = undefined;
}

/** The keys of one limit: what is the same for all of its subjects is made once, at the first of them. */
export class LimitKeys {
  #head = '';
  #slot = '';
  #violations: LimitKeys | undefined;

  constructor(
    private readonly algorithm: AlgorithmName | 'violations',
    private readonly policy: string,
  ) {}

  /** Like {@link limitKey}; the subject has to be a digest, which stands in keys as it is. */
  of(subject: string): Key {
    if (this.#head === '') this.#learn(subject);
    return new LimitKey(this.#head + subject, this.#slot);
  }

  /** Where refusals of a subject by this limit are counted. */
  violations(subject: string): Key {
    this.#violations ??= new LimitKeys('violations', this.policy);
    return this.#violations.of(subject);
  }

  #learn(subject: string): void {
    const { name, slot } = limitKey(this.algorithm, this.policy, subject);
    this.#head = name.slice(0, -subject.length);
    this.#slot = slot;
  }
}

/** What a subject is called by. Kinds keep a user `1.2.3.4` and the address `1.2.3.4` apart. */
export type SubjectKind = 'ip' | 'user' | 'apiKey' | 'connection' | 'custom';

/** A subject as it stands in keys: who it is cannot be read from it. */
export function subjectDigest(kind: SubjectKind, subject: string): string {
  return digest(`${kind}:${subject}`);
}

/** A subject's digest, and the key of the limit that counted it last: those of most subjects are counted by one. */
export class CountedSubject {
  #keys: LimitKeys | undefined;
  #key: Key | undefined;

  constructor(readonly digest: string) {}

  /** Like {@link LimitKeys.of}; the same object while the same limit asks, so that its name is hashed once. */
  keyIn(keys: LimitKeys): Key {
    if (this.#keys === keys) return this.#key!;
    this.#keys = keys;
    return (this.#key = keys.of(this.digest));
  }
}
