import { Injectable, type ExecutionContext } from '@nestjs/common';
import { networkOf } from './client-address.js';
import { ClientAddresses } from './client-address.resolver.js';
import { Memo } from '../stores/memo.js';
import { CountedSubject, subjectDigest, type SubjectKind } from '../stores/rate-limit.keys.js';
import type { Limit } from '../policies/limit.js';
import { ThrottleConfig } from '../throttle.config.js';
import { InvalidSubjectError } from '../throttle.errors.js';

/** What is read of an HTTP request; all of it may be missing. */
interface HttpRequest {
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
  readonly user?: { readonly id?: unknown; readonly sub?: unknown } | null;
}

/** So many subjects of a kind, and up to twice as many, need not be digested anew. */
const REMEMBERED = 10_000;
/** Longer subjects are digested each time: an attacker chooses how long they are. */
const LONGEST_REMEMBERED = 128;

/** Finds whom a limit counts, as the digest that stands in keys. */
@Injectable()
export class RateLimitSubjects {
  // A digest costs more than all the rest of a decision in memory.
  readonly #known: Readonly<Record<SubjectKind, Memo<CountedSubject>>> = {
    ip: new Memo(REMEMBERED),
    user: new Memo(REMEMBERED),
    apiKey: new Memo(REMEMBERED),
    connection: new Memo(REMEMBERED),
    custom: new Memo(REMEMBERED),
  };

  constructor(
    private readonly config: ThrottleConfig,
    private readonly addresses: ClientAddresses,
  ) {}

  /** Whom a request is counted as; at once where nothing has to be waited for. */
  of({ key }: Limit, context: ExecutionContext): string | Promise<string> {
    if (key === 'ip') return this.#byAddress(context);
    if (key === 'connection') return this.#byAddress(context);
    const { userOf = defaultUserOf, apiKeyOf = defaultApiKeyOf } = this.config.options;
    const found =
      key === 'user'
        ? userOf(context)
        : key === 'apiKey'
          ? apiKeyOf(context)
          : key(context, this.addresses.exactly(requestOf(context)));
    const kind = kindOf(key);
    return isThenable(found)
      ? found.then((subject) => this.#byName(kind, subject, context))
      : this.#byName(kind, found, context);
  }

  /** Whom a limit counts when the caller names the subject: the same as when a request of that subject came in. */
  named(limit: Limit, subject: unknown): CountedSubject {
    if (typeof subject !== 'string' || subject === '') throw new InvalidSubjectError(limit.name, subject);
    const kind = kindOf(limit.key);
    return this.#counted(kind, kind === 'ip' ? this.#network(subject) : subject);
  }

  /** All that a subject may have been counted as by this limit: by its own kind, and by address where it had none. */
  everyName(limit: Limit, subject: string): readonly string[] {
    const digests = [this.named(limit, subject).digest, subjectDigest('ip', this.#network(subject))];
    return digests[0] === digests[1] ? digests.slice(1) : digests;
  }

  #byName(kind: SubjectKind, subject: unknown, context: ExecutionContext): string {
    const named = (typeof subject === 'string' && subject !== '') || typeof subject === 'number';
    return named ? this.#counted(kind, String(subject)).digest : this.#byAddress(context);
  }

  #byAddress(context: ExecutionContext): string {
    return this.#counted('ip', this.addresses.of(requestOf(context))).digest;
  }

  #network(subject: string): string {
    return networkOf(subject, this.config.ipv6Prefix) ?? subject;
  }

  #counted(kind: SubjectKind, subject: string): CountedSubject {
    const known = this.#known[kind];
    let counted = known.get(subject);
    if (counted !== undefined) return counted;
    counted = new CountedSubject(subjectDigest(kind, subject));
    if (subject.length <= LONGEST_REMEMBERED) known.set(copyOf(subject), counted);
    return counted;
  }
}

/** A part of a long header would keep all of the header in memory. */
function copyOf(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le'); // UTF-8 would make unpaired surrogates equal
}

function kindOf(key: Limit['key']): SubjectKind {
  return typeof key === 'function' ? 'custom' : key;
}

function defaultUserOf(context: ExecutionContext): string | number | undefined {
  const user = requestOf(context)?.user;
  return (user?.id ?? user?.sub) as string | number | undefined;
}

function defaultApiKeyOf(context: ExecutionContext): string | undefined {
  const header = requestOf(context)?.headers?.['x-api-key'];
  return Array.isArray(header) ? header[0] : header;
}

function requestOf(context: ExecutionContext): HttpRequest | undefined {
  return context.switchToHttp().getRequest<HttpRequest | undefined>();
}

function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
