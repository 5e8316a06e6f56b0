import type { LoggerService } from '@nestjs/common';
import {
  InvalidOptionsError,
  isRedisUnavailable,
  type HealthReport,
  type RedisConnection,
  type Tracking,
} from '@roost/redis';
import type { CacheConfig } from './cache.config.js';
import { CacheEngine } from './cache.engine.js';
import { InvalidCacheOptionsError } from './cache.errors.js';
import { CacheKeys } from './cache.keys.js';
import { CacheLink } from './cache.link.js';
import { CacheMany } from './cache.many.js';
import type { CacheMetrics } from './cache.metrics.js';
import { Plans } from './cache.plan.js';
import { AnswerTimes, reportOf, type CacheStats } from './cache.stats.js';
import { CacheWrites } from './cache.writes.js';
import { OutageValues } from './invalidation/outage-values.js';
import { PendingInvalidations } from './invalidation/pending-invalidations.js';
import { Loads } from './loading/loads.js';
import { Changes } from './near/changes.js';
import { NearCache } from './near/near-cache.js';
import { ServerClock } from './near/server-clock.js';
import { TagVersions } from './near/tag-versions.js';
import { Reader } from './reader.js';
import { RoostCache } from './roost-cache.service.js';
import { MemoryCacheStore } from './stores/memory-cache.store.js';
import { RedisCacheStore } from './stores/redis-cache.store.js';
import { Codecs } from './values/codecs.js';
import { Writer } from './values/writer.js';

/** What a cache is set up with. */
export interface CacheRoomParts {
  readonly config: CacheConfig;
  readonly connection: RedisConnection;
  readonly metrics: CacheMetrics;
  readonly logger: LoggerService;
}

/** Everything that one cache is made of. */
export class CacheRoom {
  readonly service: RoostCache;
  readonly #parts: CacheRoomParts;
  readonly #changes = new Changes();
  readonly #near: NearCache;
  readonly #times: AnswerTimes;
  readonly #loads: Loads;
  readonly #pending: PendingInvalidations;
  /** Undefined when this process keeps the values by choice. */
  readonly #tracking: Tracking | undefined;
  readonly #unfollow: () => void;

  constructor(parts: CacheRoomParts) {
    const { config, connection, metrics } = parts;
    const { backend } = connection;
    this.#parts = parts;
    const wanted = config.backend ?? backend.mode;
    if (wanted === 'redis') backend.require('the cache');
    const inRedis = wanted !== 'memory' && backend.configured;
    const changes = this.#changes;
    const store = inRedis
      ? new RedisCacheStore(backend.commands, () => this.#tracking?.announceTo ?? '')
      : new MemoryCacheStore({ maxBytes: config.memoryBytes, onChange: (names) => changes.changed(names) });
    const keys = new CacheKeys(config.space(connection.database));
    const codecs = new Codecs();
    const plans = plansOf(config, codecs);
    const near = new NearCache(config.nearBytes);
    const clock = new ServerClock(() => store.now());
    const tags = new TagVersions(keys, store, changes);
    const outage = new OutageValues(config.outageTtlMs);
    const writer = new Writer(config, metrics, parts.logger);
    const report = (error: unknown) => this.#report(error);
    const known = { keys, store, near, changes, tags, clock, codecs, writer, plans, metrics, outage, report };
    const reader = new Reader({
      ...known,
      foreignJson: config.foreignJson,
      trusted: () => pending.size === 0,
      onDamaged: () => metrics.damaged(),
    });
    const isTag = (name: string) => name.startsWith(keys.prefixes.tags);
    const loads = new Loads({ ...known, reader, leaseMs: config.leaseMs }, isTag);
    changes.listen(tags, reader, loads, outage);

    const writable = () => !inRedis || backend.state().write !== 'open';
    const pending: PendingInvalidations = new PendingInvalidations(config.maxPendingInvalidations, {
      possible: writable,
      removeKeys: (names) => writes.repeat.removeKeys(names),
      bumpTags: (names) => writes.repeat.bumpTags(names),
      clear: () => writes.repeat.clear(),
      onError: report,
    });
    const writes = new CacheWrites({ ...known, reader, pending, writable });
    const times = new AnswerTimes(() => savedOf(metrics));
    const engine = new CacheEngine({
      ...known,
      reader,
      loads,
      pending,
      times,
      backend: inRedis ? backend : undefined,
    });
    const many = new CacheMany({ ...known, engine, reader, loads });
    this.#near = near;
    this.#times = times;
    this.#loads = loads;
    this.#pending = pending;
    if (inRedis) {
      const replay = () => pending.tryNow();
      this.#tracking = new CacheLink({ connection, keys, changes, tags, clock, replay }).track(config.tracking);
    } else changes.restored();
    // Another server may have taken over behind the same address, and the old one still tell of its changes.
    this.#unfollow = backend.onChange(({ to }) => {
      if (to !== 'redis' || !inRedis) return;
      outage.forget();
      this.#tracking?.restart();
      void pending.tryNow();
    });
    metrics.show(() => {
      const { entries, bytes, coherent } = this.#nearStats;
      return { nearEntries: entries, nearBytes: bytes, coherent, pending: pending.size };
    });
    this.service = new RoostCache({ engine, many, writes, plans, stats: () => this.#stats() });
  }

  /** Without tracking values come from Redis: slower, and right. */
  report(): HealthReport {
    const { entries, bytes, coherent } = this.#nearStats;
    const tracking = this.#tracking === undefined ? 'process' : (this.#tracking.mode ?? 'seeking');
    const pending = this.#pending.size;
    const well = (coherent || tracking === 'off') && pending === 0;
    return { status: well ? 'up' : 'degraded', tracking, coherent, pendingInvalidations: pending, entries, bytes };
  }

  /** Ends what loads, and tells Redis what it has missed. */
  async close(): Promise<void> {
    this.#unfollow();
    this.#loads.close();
    await this.#pending.close();
  }

  #stats(): CacheStats {
    return reportOf({
      totals: this.#parts.metrics.totals(),
      times: this.#times,
      cost: this.#parts.config.cost,
      near: this.#nearStats,
      pendingInvalidations: this.#pending.size,
    });
  }

  get #nearStats() {
    return { entries: this.#near.size, bytes: this.#near.bytes, coherent: this.#changes.coherent };
  }

  #report(error: unknown): void {
    if (isRedisUnavailable(error)) return; // the backend tells of outages
    this.#parts.logger.error(`The cache did without Redis: ${String(error)}`, { event: 'cache.failure' });
  }
}

function savedOf(metrics: CacheMetrics): number {
  const { near, redis, stale } = metrics.totals();
  return near + redis + stale;
}

function plansOf(config: CacheConfig, codecs: Codecs): Plans {
  try {
    return new Plans(config.defaults, codecs);
  } catch (error) {
    if (!(error instanceof InvalidCacheOptionsError)) throw error;
    throw new InvalidOptionsError(
      'CacheModule',
      error.problems.map((problem) => `\`defaults\`: ${problem}`),
    );
  }
}
