import type { ExecutionContext } from '@nestjs/common';
import type { BackendMode, Duration } from '@roost/redis';
import type { AlgorithmName } from './algorithms/algorithm.js';

/** What may be returned at once or later. */
type Eventually<T> = T | Promise<T>;

/**
 * Whom a limit counts: the client's address (IPv6 by /64), the user, the API key, the WebSocket connection, or what a
 * function says, which is told the client's address (`unknown` when there is none). Where there is no user, key,
 * connection or answer, the address counts.
 * @example (_context, address) => clientAddress(address, { prefix: 48 })
 */
export type KeySource =
  | 'ip'
  | 'user'
  | 'apiKey'
  | 'connection'
  | ((context: ExecutionContext, address: string) => Eventually<string | number | undefined | null>);

/** A window of the calendar, in a time zone. */
export type CalendarUnit = 'day' | 'month';

/** What decides while Redis is lost: this process with its share of the limit, nobody, or a refusal (503). */
export type OutagePolicy = 'local' | 'open' | 'closed';

/** Whom a limit applies to: everybody; nobody, only counting whom it would have refused; or a share of all subjects. */
export type LimitMode = 'enforce' | 'shadow' | { /** From 0 to 1. */ readonly canary: number };

/** How a request ended, for limits that count by that. */
export interface Outcome {
  /** The status of an HTTP answer; undefined in other contexts and when the client went away. */
  readonly status: number | undefined;
  /** Whether it failed: an error, a status of 400 or above, or a client that went away. */
  readonly failed: boolean;
}

/** Which requests stay counted, once it is known how they ended. */
export type CountedOutcomes = 'all' | 'success' | 'failure' | ((outcome: Outcome) => boolean);

/** Refuses a subject without counting, after so many refusals. */
export interface BlockOptions {
  /** How many refusals by this limit. */
  readonly after: number;
  /** How long the block lasts. */
  readonly for: Duration;
  /** How long a refusal is remembered after the last one. @default '1d' */
  readonly within?: Duration;
}

/**
 * One limit.
 * @example { limit: 5, window: '1m', key: 'user' }
 * @example { limit: 10_000, window: 'month', timeZone: 'Europe/Berlin', key: 'apiKey' }
 * @example { limit: 5, window: '30s', algorithm: 'concurrency', key: 'user' }
 */
export interface LimitOptions {
  /**
   * Name in headers, metrics and keys: printable ASCII. Limits of a policy that has several are called `policy.name`, and
   * its only one like the policy. @default the policy's or the decorated `Class.method`; the index among several
   */
  readonly name?: string;
  /** Requests per `window`; 0 refuses all; `'byTier'` takes limit and window from the caller's tier. */
  readonly limit: number | 'unlimited' | 'byTier';
  /**
   * At least one microsecond per request, at most 366 days; `'day'` and `'month'` are those of the calendar. With
   * `concurrency` how long a slot is held by a process that died. Left out when `limit` is not a number.
   */
  readonly window?: Duration | CalendarUnit;
  /** The zone of a calendar window, by its IANA name. @default 'UTC' */
  readonly timeZone?: string;
  /** @default 'gcra' */
  readonly algorithm?: AlgorithmName;
  /** @default 'ip' */
  readonly key?: KeySource;
  /** What a request takes: a non-negative integer. @default 1 */
  readonly cost?: number | ((context: ExecutionContext) => number);
  /**
   * Takes back the charge of requests that ended otherwise. Until a request has ended it is counted, so that many at once
   * do not slip through. @default 'all'
   */
  readonly count?: CountedOutcomes;
  /** Refuses without counting after so many refusals. @default never */
  readonly block?: BlockOptions;
  /** @default 'enforce' */
  readonly mode?: LimitMode;
  /** What is charged once: a request, however many of its resolvers or guards are limited, or each call. @default 'request' */
  readonly per?: 'request' | 'call';
  /**
   * Takes many at once from Redis and spends them here: for keys with thousands of requests a second. Never admits more
   * than the limit; may refuse what other processes hold unspent. @default false
   */
  readonly lease?: boolean;
  /** @default the module's `outage` */
  readonly outage?: OutagePolicy;
}

/** A policy by name, or one limit written in place. */
export type PolicyRef = string | LimitOptions;

/** A tier's limit: requests per window, or none. */
export type TierLimit = `${number}/${Duration}` | 'unlimited';

/**
 * Which headers an answer carries besides `Retry-After`: `ratelimit` is draft-ietf-httpapi-ratelimit-headers-11 and
 * `ratelimit-166` its proposed successor; `draft-7` and `draft-6` the older drafts; `x-ratelimit` tells seconds until the
 * reset, `x-ratelimit-epoch` the moment of it, as GitHub does. The first two tell of every limit (of ten at most, the
 * nearest), the others of the nearest.
 */
export type HeaderDialect = 'ratelimit' | 'ratelimit-166' | 'draft-7' | 'draft-6' | 'x-ratelimit' | 'x-ratelimit-epoch';

/**
 * Proxies by their vendor. `cloudflare` believes CF-Connecting-IP of Cloudflare's networks; `aws-alb` the last address in
 * X-Forwarded-For, and `gcp` the last but one, of peers in private networks (`gcp` also of Google Front Ends).
 */
export type ProxyPreset = 'cloudflare' | 'aws-alb' | 'gcp';

/**
 * Proxies that every request passes; `X-Forwarded-For` and the like are believed of nobody else. What the HTTP adapter is
 * told (`trust proxy`, `trustProxy`) does not matter then.
 * @example { hops: 1 }
 * @example { cidrs: ['cloudflare', '10.1.0.0/16'] }
 */
export type ProxyOptions =
  | {
      /** How many proxies stand before the service, 0 for none. Whoever reaches it past them is believed, too. */
      readonly hops: number;
      readonly header?: 'x-forwarded-for' | 'forwarded';
    }
  | {
      /** Networks of the proxies; also `'private'`, `'loopback'`, `'cloudflare'` and `'google'`. */
      readonly cidrs: readonly string[];
      /**
       * The header that the proxies write, and the only one that is read then.
       * @default `x-forwarded-for`, and `forwarded` (RFC 7239) where that is missing
       */
      readonly header?: 'x-forwarded-for' | 'forwarded';
    }
  | ProxyPreset;

export interface StopLossOptions {
  /** The 95th percentile that trips it. */
  readonly p95: Duration;
  /** How long it has to last. @default '1m' */
  readonly over?: Duration;
}

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
  /** Several as long as no two write the same field. @default ['ratelimit'] */
  readonly headers?: readonly HeaderDialect[];
  /** Lets scripts of other origins read these headers (CORS), by `Access-Control-Expose-Headers`. @default false */
  readonly exposeHeaders?: boolean;
  /**
   * Tells in `pk` of the `RateLimit` field whom a limit counted, as a keyed digest (HMAC-SHA-256): for clients that act for
   * several users. At least 16 characters, the same in every process. @default no `pk`
   */
  readonly partitionKeySecret?: string;
  /** What decides while Redis is lost, where a limit does not say. @default 'local' */
  readonly outage?: OutagePolicy;
  /** `memory` never touches Redis; `redis` fails the boot without it. @default the connection's */
  readonly backend?: BackendMode;
  /** How to find the client's address behind proxies. @default as the HTTP adapter says */
  readonly proxy?: ProxyOptions;
  /** How many bits of an IPv6 address tell clients apart, from 32 to 128. @default 64 */
  readonly ipv6Prefix?: number;
  /** How many refused subjects this process remembers, and refuses without asking Redis; 0 for none. @default 10_000 */
  readonly rejectCacheEntries?: number;
  /** Answers HTTP requests of subjects known to be refused before Nest sees them. @default true */
  readonly refuseEarly?: boolean;
  /** When checks in Redis get this slow, `canaryPercent` goes to 0: the service matters more. @default { p95: '300ms' } */
  readonly stopLoss?: StopLossOptions | false;
  /** The Redis connection. @default 'default' */
  readonly connection?: string;
  /**
   * How many processes share the limits, at least; those that are seen alive in Redis count too. Where a process decides
   * alone, it takes a limit's share, rounded up. @default 1
   */
  readonly replicas?: number;
  /** The percentage of subjects that Redis decides; the rest is decided in this process. @default 100 */
  readonly canaryPercent?: number;
  /** How many limits the in-memory store remembers. @default 100_000 */
  readonly memoryMaxEntries?: number;
}
