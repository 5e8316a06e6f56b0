import type { ThrottlerStorage } from '@nestjs/throttler';
import { LONGEST_MS, type HitLimit, type HitVerdict } from './hit-log.js';
import { hitsKeyOf } from './throttler.keys.js';
import type { ThrottlerMetrics } from './throttler.metrics.js';
import type { ThrottlerSwitch } from './throttler.switch.js';

/** One hit at one throttler, in the terms of @nestjs/throttler; times in ms. */
export interface ThrottlerHit {
  readonly key: string;
  readonly ttl: number;
  readonly limit: number;
  readonly blockDuration: number;
  readonly throttlerName: string;
}

/** What a throttler answers; times in whole seconds, rounded up. */
export type ThrottlerRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/**
 * The storage of `ThrottlerModule`, shared by all processes through Redis: every semantic of the memory store of
 * @nestjs/throttler 6.7, and never an error while Redis is lost. Provided by {@link RoostThrottlerModule}.
 * @example
 * ThrottlerModule.forRootAsync({
 *   inject: [RoostThrottlerStorage],
 *   useFactory: (storage: RoostThrottlerStorage) => ({ throttlers: [{ ttl: 60_000, limit: 10 }], storage }),
 * })
 */
export class RoostThrottlerStorage implements ThrottlerStorage {
  /** What each call into the application was counted for, as long as the call lasts. */
  readonly #counted = new WeakMap<object, Set<string>>();

  constructor(
    private readonly switched: ThrottlerSwitch,
    private readonly metrics: ThrottlerMetrics,
  ) {}

  async increment(
    key: string,
    ttl: number,
    limit: number,
    blockDuration: number,
    throttlerName: string,
  ): Promise<ThrottlerRecord> {
    const [record] = await this.#decide([{ key, ttl, limit, blockDuration, throttlerName }]);
    return record!;
  }

  /**
   * Decides all throttlers of a request in one round trip: when one blocks it, the others count nothing. A `call`, which is
   * any object that stands for it, is counted once: what it was counted for before is undefined in the result.
   */
  async decideMany(hits: readonly ThrottlerHit[], call?: object): Promise<readonly (ThrottlerRecord | undefined)[]> {
    const counted = call && this.#countedFor(call);
    const fresh = counted ? hits.filter((hit) => !counted.has(nameOf(hit))) : hits;
    if (fresh.length === 0) return hits.map(() => undefined);
    for (const hit of fresh) counted?.add(nameOf(hit));
    const records = await this.#decideDistinct(fresh);
    return fresh === hits ? records : hits.map((hit) => records[fresh.indexOf(hit)]);
  }

  /** Two throttlers of one name count the same hits: one after the other, as the reference does. */
  async #decideDistinct(hits: readonly ThrottlerHit[]): Promise<ThrottlerRecord[]> {
    if (hits.length === 1 || new Set(hits.map(nameOf)).size === hits.length) return this.#decide(hits);
    const records: ThrottlerRecord[] = [];
    for (const hit of hits) records.push(...(await this.#decide([hit])));
    return records;
  }

  #countedFor(call: object): Set<string> {
    let counted = this.#counted.get(call);
    if (!counted) this.#counted.set(call, (counted = new Set()));
    return counted;
  }

  async #decide(hits: readonly ThrottlerHit[]): Promise<ThrottlerRecord[]> {
    // What has no limit is nobody's business; neither is what is not a number, which the reference never limits either.
    const limited = hits.filter(({ limit }) => Number(limit) < Infinity);
    const limits = limited.map(limitOf);
    const records = new Map<ThrottlerHit, ThrottlerRecord>();
    if (limits.length > 0) {
      const { source, verdicts } = await this.switched.decide(limits);
      const allowed = verdicts.every(({ refused }) => !refused);
      for (const [i, verdict] of verdicts.entries()) {
        if (allowed || verdict.refused) {
          this.metrics.decided(limited[i]!.throttlerName, verdict.refused ? 'throttle' : 'allow', source);
        }
        records.set(limited[i]!, recordOf(verdict, limits[i]!));
      }
    }
    return hits.map((hit) => records.get(hit) ?? unlimited(hit));
  }
}

function nameOf({ key, throttlerName }: ThrottlerHit): string {
  return `${throttlerName.length}:${throttlerName}${key}`;
}

function limitOf({ key, ttl, limit, blockDuration, throttlerName }: ThrottlerHit): HitLimit {
  return {
    key: hitsKeyOf(throttlerName, key),
    ttlMs: wholeMs(ttl),
    limit: Number(limit),
    blockMs: wholeMs(blockDuration),
  };
}

/** Rounded up, which changes nothing: a moment in whole ms lies before 0.5 exactly when it lies before 1. */
function wholeMs(value: number): number {
  return Math.ceil(Math.min(Math.max(Number(value), 0) || 0, LONGEST_MS));
}

function recordOf({ refused, hits, expiresMs, retryMs }: HitVerdict, { ttlMs }: HitLimit): ThrottlerRecord {
  return {
    totalHits: hits,
    timeToExpire: Math.ceil((expiresMs ?? ttlMs) / 1_000),
    isBlocked: refused,
    timeToBlockExpire: Math.ceil(retryMs / 1_000),
  };
}

function unlimited({ ttl }: ThrottlerHit): ThrottlerRecord {
  return { totalHits: 1, timeToExpire: Math.ceil(wholeMs(ttl) / 1_000), isBlocked: false, timeToBlockExpire: 0 };
}
