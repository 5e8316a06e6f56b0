import { Injectable, type ExecutionContext } from '@nestjs/common';
import { graphqlRequestOf, graphqlUserOf, httpRequestOf, type RequestLike } from './caller.js';
import { networkOf } from './client-address.js';
import { ClientAddresses } from './client-address.resolver.js';
import { SocketClients } from './socket-clients.js';
import { Memo } from '../stores/memo.js';
import { CountedSubject, subjectDigest, type SubjectKind } from '../stores/rate-limit.keys.js';
import type { Limit } from '../policies/limit.js';
import { ThrottleConfig } from '../throttle.config.js';
import { InvalidSubjectError } from '../throttle.errors.js';

/** So many subjects of a kind, and up to twice as many, need not be digested anew. */
const REMEMBERED = 10_000;
/** Longer subjects are digested each time: an attacker chooses how long they are. */
const LONGEST_REMEMBERED = 128;

/** Finds whom a limit counts, as the digest that stands in keys. */
@Injectable()
export class RateLimitSubjects {
  readonly #clients = new SocketClients();
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
    const found = this.#find(key, context);
    const kind = kindOf(key);
    return isThenable(found)
      ? found.then((subject) => this.#byName(kind, subject, context))
      : this.#byName(kind, found, context);
  }

  /** The address that a request is counted by, in the form in which it is counted. */
  addressOf(request: RequestLike | undefined): string {
    return this.addresses.of(request);
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

  #find(key: Exclude<Limit['key'], 'ip'>, context: ExecutionContext): unknown {
    if (typeof key === 'function') return key(context, this.addresses.exactly(this.#requestOf(context)));
    const { userOf, apiKeyOf } = this.config.options;
    if (key === 'user') return userOf ? userOf(context) : this.#userOf(context);
    if (key === 'apiKey') return apiKeyOf ? apiKeyOf(context) : this.#apiKeyOf(context);
    return context.getType() === 'ws' ? this.#clients.idOf(context.getArgByIndex(0)) : undefined;
  }

  #userOf(context: ExecutionContext): unknown {
    if (context.getType() === 'ws') return this.#clients.userOf(context.getArgByIndex(0));
    const user = this.#requestOf(context)?.user ?? graphqlUserOf(context);
    return user?.id ?? user?.sub;
  }

  #apiKeyOf(context: ExecutionContext): unknown {
    if (context.getType() === 'ws') return this.#clients.apiKeyOf(context.getArgByIndex(0));
    return apiKeyIn(this.#requestOf(context));
  }

  #requestOf(context: ExecutionContext): RequestLike | undefined {
    switch (context.getType<string>()) {
      case 'graphql':
        return graphqlRequestOf(context);
      case 'ws':
        return this.#clients.handshakeOf(context.getArgByIndex(0));
      default:
        return httpRequestOf(context);
    }
  }

  #byName(kind: SubjectKind, subject: unknown, context: ExecutionContext): string {
    const named = (typeof subject === 'string' && subject !== '') || typeof subject === 'number';
    return named ? this.#counted(kind, String(subject)).digest : this.#byAddress(context);
  }

  #byAddress(context: ExecutionContext): string {
    if (context.getType() === 'rpc') return this.#counted('ip', placeOf(context)).digest;
    return this.#counted('ip', this.addressOf(this.#requestOf(context))).digest;
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

/** The API key of a request where the module's options do not say. */
export function apiKeyIn(request: RequestLike | undefined): string | undefined {
  const header = request?.headers?.['x-api-key'];
  return Array.isArray(header) ? header[0] : header;
}

/** Messages of a broker come from no address: all of one handler are counted together. */
function placeOf(context: ExecutionContext): string {
  return `rpc:${context.getClass().name}.${context.getHandler().name}`;
}

function isThenable(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
