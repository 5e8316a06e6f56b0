import type { OnModuleDestroy } from '@nestjs/common';
import type { RedisConnection } from '@roost/redis';
import type { RateLimitStore } from '../stores/rate-limit.store.js';
import { GatheringRateLimitStore } from './gathering-rate-limit.store.js';
import { LeasingRateLimitStore } from './leasing-rate-limit.store.js';
import { RefusingRateLimitStore } from './refusing-rate-limit.store.js';
import { RejectCache } from './reject-cache.js';

export interface ShortcutOptions {
  /** How many refused subjects are remembered; 0 for none. */
  readonly rejectCacheEntries: number;
  /** How many processes share the limits. */
  readonly processes: () => number;
}

/** Who is told of decisions that Redis was not asked for. */
export interface ShortcutMetrics {
  decidedHere(shortcut: 'reject-cache' | 'lease'): void;
}

/** The ways in which a process of one application saves Redis work: known refusals, leases, and one call per turn. */
export class RateLimitShortcuts implements OnModuleDestroy {
  /** The store with all of them before it. */
  readonly store: RateLimitStore;
  /** Whom this process refuses without asking. */
  readonly refusals: RejectCache;
  readonly #leasing: LeasingRateLimitStore;
  readonly #refusing: RefusingRateLimitStore | undefined;
  readonly #unfollow: () => void;

  constructor(
    { backend, pubsub }: Pick<RedisConnection, 'backend' | 'pubsub'>,
    redis: RateLimitStore,
    { rejectCacheEntries, processes }: ShortcutOptions,
    metrics: ShortcutMetrics,
  ) {
    const refusals = new RejectCache({ maxEntries: rejectCacheEntries });
    this.refusals = refusals;
    this.#leasing = new LeasingRateLimitStore(new GatheringRateLimitStore(redis, backend.commands), backend.commands, {
      processes,
      onLeased: () => metrics.decidedHere('lease'),
    });
    if (rejectCacheEntries > 0) {
      const onRefused = () => metrics.decidedHere('reject-cache');
      this.#refusing = new RefusingRateLimitStore(this.#leasing, refusals, pubsub, { onRefused });
    }
    this.store = this.#refusing ?? this.#leasing;
    // A Redis that comes back may have lost what it knew.
    this.#unfollow = backend.onChange(() => refusals.forgetAll());
  }

  /** Whether whatever is given back anywhere becomes known here: see `RejectCache.follow`. */
  get listening(): boolean {
    return this.#refusing?.listening ?? false;
  }

  /**
   * Gives back what is leased, while Redis is still there, and stops listening; the requests that are to finish are
   * decided as before.
   */
  async onModuleDestroy(): Promise<void> {
    this.#unfollow();
    this.#refusing?.close();
    await this.#leasing.close();
  }
}
