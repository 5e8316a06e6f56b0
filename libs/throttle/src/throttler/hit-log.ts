import type { Key } from '@roost/redis';

/** The limit of one throttler on one key. Times are whole milliseconds, from 0 to {@link LONGEST_MS}. */
export interface HitLimit {
  readonly key: Key;
  /** How long a hit counts. */
  readonly ttlMs: number;
  readonly limit: number;
  /** How long a key is blocked that exceeds the limit; 0 refuses only until its oldest hit expires. */
  readonly blockMs: number;
}

/** What one throttler said. Times are whole milliseconds. */
export interface HitVerdict {
  readonly refused: boolean;
  /** What `totalHits` tells: of a refused request, the refused one is among them when it was or would be counted. */
  readonly hits: number;
  /** What `timeToExpire` tells; null when it only begins with the next hit, and is the `ttl` until then. */
  readonly expiresMs: number | null;
  /** Until a request may pass; 0 when this one may. */
  readonly retryMs: number;
  /** Until `hits` becomes less; null when there are none. */
  readonly nextMs: number | null;
}

/** The longest `ttl` and `blockDuration`: as long as any key of Roost lives. */
export const LONGEST_MS = 366 * 86_400_000;

/**
 * The hits of the last `ttl` of each key, and its block, as the memory store of @nestjs/throttler 6.7 keeps them: at most
 * one more than the limit. Implementations agree to the millisecond.
 */
export abstract class HitLog {
  /**
   * Decides all throttlers of a request as one: when any refuses, the others count nothing. One that refuses does what it
   * does alone: counts the hit that exceeds, and begins its block. The keys of one call are distinct.
   */
  abstract decide(limits: readonly HitLimit[]): Promise<readonly HitVerdict[]>;
}
