import type { ExecutionContext } from '@nestjs/common';
import type { BackendMode, Duration } from '@roost/redis';
import type { AlgorithmName } from './algorithms/algorithm.js';

/** What may be returned at once or later. */
type Eventually<T> = T | Promise<T>;

/**
 * Whom a limit counts: the client's address (IPv6 by /64), the user, the API key, or what a function says. Where there is
 * no user, no key or no answer, the address counts.
 */
export type KeySource =
  'ip' | 'user' | 'apiKey' | ((context: ExecutionContext) => Eventually<string | number | undefined | null>);

/** What decides while Redis is lost: this process with its share of the limit, nobody, or a refusal (503). */
export type OutagePolicy = 'local' | 'open' | 'closed';

/**
 * One limit.
 * @example { limit: 5, window: '1m', key: 'user' }
 */
export interface LimitOptions {
  /** Name in headers, metrics and keys: printable ASCII. @default the policy's, or the decorated `Class.method` */
  readonly name?: string;
  /** Requests per `window`; 0 refuses all; `'byTier'` takes limit and window from the caller's tier. */
  readonly limit: number | 'unlimited' | 'byTier';
  /** At least one microsecond per request, at most 366 days. Left out when `limit` is not a number. */
  readonly window?: Duration;
  /** @default 'gcra' */
  readonly algorithm?: AlgorithmName;
  /** @default 'ip' */
  readonly key?: KeySource;
  /** What a request takes: a non-negative integer. @default 1 */
  readonly cost?: number | ((context: ExecutionContext) => number);
  /** @default the module's `outage` */
  readonly outage?: OutagePolicy;
}

/** A policy by name, or one limit written in place. */
export type PolicyRef = string | LimitOptions;

/** A tier's limit: requests per window, or none. */
export type TierLimit = `${number}/${Duration}` | 'unlimited';

/** Which headers an answer carries besides `Retry-After`: those of the IETF draft, or the older `X-RateLimit-*`. */
export type HeaderDialect = 'ratelimit' | 'x-ratelimit';

/**
 * Options of {@link ThrottleModule}.
 * @example
 * ThrottleModule.forRoot({
 *   policies: { login: [{ name: 'user', limit: 5, window: '1m', key: 'user' }, { name: 'address', limit: 100, window: '1m' }] },
 * })
 */
export interface ThrottleOptions {
  /** Limits by the name that `@RateLimit('name')` uses; all limits of a policy must pass, and are decided as one. */
  readonly policies?: Readonly<Record<string, LimitOptions | readonly LimitOptions[]>>;
  /** What `limit: 'byTier'` means. A caller of no or an unknown tier gets the strictest. */
  readonly tiers?: Readonly<Record<string, TierLimit>>;
  /** The caller's tier. */
  readonly tierOf?: (context: ExecutionContext) => Eventually<string | undefined | null>;
  /** The caller's id. @default `request.user.id`, else `request.user.sub` */
  readonly userOf?: (context: ExecutionContext) => Eventually<string | number | undefined | null>;
  /** The caller's API key. @default the header `x-api-key` */
  readonly apiKeyOf?: (context: ExecutionContext) => Eventually<string | undefined | null>;
  /** @default ['ratelimit'] */
  readonly headers?: readonly HeaderDialect[];
  /** What decides while Redis is lost, where a limit does not say. @default 'local' */
  readonly outage?: OutagePolicy;
  /** `memory` never touches Redis; `redis` fails the boot without it. @default the connection's */
  readonly backend?: BackendMode;
  /** The Redis connection. @default 'default' */
  readonly connection?: string;
  /** How many processes share the limits: where this one decides alone, it takes a limit's share, rounded up. @default 1 */
  readonly replicas?: number;
  /** The percentage of subjects that Redis decides; the rest is decided in this process. @default 100 */
  readonly canaryPercent?: number;
  /** How many limits the in-memory store remembers. @default 100_000 */
  readonly memoryMaxEntries?: number;
}
