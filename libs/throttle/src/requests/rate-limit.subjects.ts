import { Injectable, type ExecutionContext } from '@nestjs/common';
import { networkOf } from './client-address.js';
import { ClientAddresses } from './client-address.resolver.js';
import { subjectDigest, type SubjectKind } from '../stores/rate-limit.keys.js';
import type { Limit } from '../policies/limit.js';
import { ThrottleConfig } from '../throttle.config.js';
import { InvalidSubjectError } from '../throttle.errors.js';

/** What is read of an HTTP request; all of it may be missing. */
interface HttpRequest {
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
  readonly user?: { readonly id?: unknown; readonly sub?: unknown } | null;
}

/** Finds whom a limit counts, as the digest that stands in keys. */
@Injectable()
export class RateLimitSubjects {
  // The last one, because the limits of a request often count the same subject: per second, per minute and per hour.
  #last: { readonly kind: SubjectKind; readonly subject: string; readonly digest: string } | undefined;

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
  named(limit: Limit, subject: unknown): string {
    if (typeof subject !== 'string' || subject === '') throw new InvalidSubjectError(limit.name, subject);
    const kind = kindOf(limit.key);
    return this.#digestOf(kind, kind === 'ip' ? this.#network(subject) : subject);
  }

  /** All that a subject may have been counted as by this limit: by its own kind, and by address where it had none. */
  everyName(limit: Limit, subject: string): readonly string[] {
    const digests = [this.named(limit, subject), subjectDigest('ip', this.#network(subject))];
    return digests[0] === digests[1] ? digests.slice(1) : digests;
  }

  #byName(kind: SubjectKind, subject: unknown, context: ExecutionContext): string {
    const named = (typeof subject === 'string' && subject !== '') || typeof subject === 'number';
    return named ? this.#digestOf(kind, String(subject)) : this.#byAddress(context);
  }

  #byAddress(context: ExecutionContext): string {
    return this.#digestOf('ip', this.addresses.of(requestOf(context)));
  }

  #network(subject: string): string {
    return networkOf(subject, this.config.ipv6Prefix) ?? subject;
  }

  #digestOf(kind: SubjectKind, subject: string): string {
    const last = this.#last;
    if (last?.kind === kind && last.subject === subject) return last.digest;
    const digest = subjectDigest(kind, subject);
    this.#last = { kind, subject, digest };
    return digest;
  }
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
