import type { BackendMode, Duration } from '@roost/redis';

/** How long a session lives. */
export interface SessionLifetime {
  /** It ends after so long without a request. */
  readonly idle: Duration;
  /** It ends after so long whatever happens. */
  readonly absolute: Duration;
}

/** `web`: a day of rest, a week in all; `short`: an hour, half a day. */
export type SessionLifetimeName = 'web' | 'short';

/**
 * What is read while Redis is lost. `local`: the copy of this process while it lasts, else no session; `anonymous`: no
 * session; `closed`: a 503.
 */
export type SessionOutage = 'local' | 'anonymous' | 'closed';

/** How one-time codes are made, and how many. */
export interface CodeOptions {
  /** 4 to 10. @default 6 */
  readonly digits?: number;
  /** @default '5m' */
  readonly ttl?: Duration;
  /** Guesses at one code. @default 5 */
  readonly attempts?: number;
  /** How long no other code is sent; 0 for not at all. @default '60s' */
  readonly cooldown?: Duration;
  /** Codes for one subject and purpose within the window. @default 10 */
  readonly sends?: number;
  /** Wrong guesses within the window, at however many codes. @default 20 */
  readonly guesses?: number;
  /** @default '1h' */
  readonly window?: Duration;
}

/** Options of `SessionModule`. */
export interface SessionOptions {
  /** `auto`: Redis when configured, this process otherwise; `redis`: the boot fails without it. @default the connection's */
  readonly backend?: BackendMode;
  /** The connection of `RedisModule`. @default 'default' */
  readonly connection?: string;
  /** @default 'web' */
  readonly lifetime?: SessionLifetimeName | SessionLifetime;
  /** How often a session in use is written only to live on. @default '1m', or a quarter of `idle` when that is less */
  readonly touchEvery?: Duration;
  /** How long the id before a rotation is still answered. @default '10s' */
  readonly rotationGrace?: Duration;
  /** What a session may hold, up to 65536. @default 16384 */
  readonly maxBytes?: number;
  /** Sessions of one user, up to 100; one more ends the oldest. @default 50 */
  readonly maxPerUser?: number;
  /** @default 'local' */
  readonly outage?: SessionOutage;
  /** Sessions that this process keeps a copy of for an outage. @default 10_000 */
  readonly copies?: number;
  /** How old such a copy may be, and thus how long a log-out elsewhere may go unheard in an outage. @default '5m' */
  readonly copyFor?: Duration;
  /**
   * A secret text of at least 16 characters that all processes share and Redis does not know: codes are hashed with it.
   * `false` turns one-time codes off. @default none: refused in production when codes may be in Redis
   */
  readonly pepper?: string | false;
  readonly codes?: CodeOptions;
  /** Percentage of users by feature, for as long as nobody set it at run time. @default 0 for each */
  readonly features?: Readonly<Record<string, number>>;
  /** Whether this is production: there, a pepper is required. @default false */
  readonly production?: boolean;
}
