import type { LoggerService } from '@nestjs/common';
import { InvalidOptionsError, isRedisUnavailable, type HealthReport, type RedisConnection } from '@roost/redis';
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
import { Landings } from './loading/landings.js';
import type { Journey } from './loading/journey.js';
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
import type { Held } from './values/held.js';
import { Writer } from './values/writer.js';

/** What a cache is set up with. */
export interface CacheRoomParts {
  readonly config: CacheConfig;
  readonly connection: RedisConnection;
  readonly metrics: CacheMetrics;
  readonly logger: LoggerService;
}

const REPORT_EVERY_MS = 60_000;
/** How long a boot waits for the news of changes to be heard; without it values come from Redis. */
const READY_WITHIN_MS = 1_000;

/** Everything that one cache is made of. */
export class CacheRoom {
  readonly service: RoostCache;
  readonly #parts: CacheRoomParts;
  readonly #changes: Changes;
  readonly #near: NearCache;
  readonly #times: AnswerTimes;
  readonly #loads: Loads;
  readonly #pending: PendingInvalidations;
  /** Undefined when this process keeps the values by choice. */
  readonly #link: CacheLink | undefined;
  readonly #unfollow: () => void;
  #reportedAt = -Infinity;

  constructor(parts: CacheRoomParts) {
    const { config, connection, metrics } = parts;
    const { backend } = connection;
    this.#parts = parts;
    const wanted = config.backend ?? backend.mode;
    if (wanted === 'redis') backend.require('the cache');
    const inRedis = wanted !== 'memory' && backend.configured;
    const changes: Changes = new Changes(() => pending.size > 0);
    const store = inRedis
      ? new RedisCacheStore(backend.commands, () => this.#link?.announceTo ?? '')
      : new MemoryCacheStore({ maxBytes: config.memoryBytes, onChange: (names) => changes.changed(names) });
    const keys = new CacheKeys(config.space(connection.database));
    const codecs = new Codecs();
    const plans = plansOf(config, codecs);
    const near = new NearCache(config.nearBytes);
    const clock = new ServerClock(() => store.now());
    const tags = new TagVersions(keys, store, changes);
    const outage = new OutageValues(config.outageTtlMs, keys);
    const reading = { codecs, shares: config.nearBytes > 0 };
    const writer = new Writer(config, metrics, parts.logger, reading.shares);
    const report = (error: unknown) => this.#report(error);
    const known = { keys, store, near, changes, tags, clock, reading, writer, plans, metrics, outage, report };
    const reader = new Reader({
      ...known,
      foreignJson: config.foreignJson,
      onDamaged: () => metrics.damaged(),
    });
    const isTag = (name: string) => name.startsWith(keys.prefixes.tags);
    const landings = new Landings(known);
    const keep = ({ key, slot }: Journey, held: Held) => {
      if (!engine.reachable(key)) outage.put(slot.entry.name, held);
    };
    const loads = new Loads({ ...known, reader, landings, keep, leaseMs: config.leaseMs }, isTag);
    changes.listen(tags, reader, loads, outage);

    const writable = () => !inRedis || backend.choose('write') === 'redis' || backend.state().write !== 'open';
    const pending: PendingInvalidations = new PendingInvalidations(config.maxPendingInvalidations, {
      possible: writable,
      removeKeys: (names) => writes.repeat.removeKeys(names),
      bumpTags: (names) => writes.repeat.bumpTags(names),
      clear: () => writes.repeat.clear(),
      onError: report,
    });
    const writes = new CacheWrites({ ...known, reader, pending, writable });
    const times = new AnswerTimes(() => savedOf(metrics));
    const engine: CacheEngine = new CacheEngine({
      ...known,
      reader,
      loads,
      pending,
      times,
      settling: () => (backend.choose('read') === 'redis' ? this.#link?.verifying : undefined),
      mayAsk: (key) => !inRedis || (this.#link!.verified && backend.choose('read', key) === 'redis'),
    });
    const many = new CacheMany({ ...known, engine, reader, loads });
    this.#changes = changes;
    this.#near = near;
    this.#times = times;
    this.#loads = loads;
    this.#pending = pending;
    if (inRedis) {
      const replay = () => pending.tryNow();
      const { tracking } = config;
      this.#link = new CacheLink({ connection, keys, changes, tags, clock, tracking, replay, report });
    } else changes.restored();
    // Another server may have taken over behind the same address, and the old one still tell of its changes.
    this.#unfollow = backend.onChange(({ to }) => {
      if (to !== 'redis' || !inRedis) return;
      outage.forget();
      this.#link!.restart();
      void pending.tryNow();
    });
    metrics.show(() => {
      const { entries, bytes, coherent } = this.#nearStats;
      return { nearEntries: entries, nearBytes: bytes, coherent, pending: pending.size };
    });
    this.service = new RoostCache({ engine, many, writes, plans, stats: () => this.#stats() });
  }

  /** Resolves when Redis was looked at, where there is one; it is not waited for long. */
  async ready(): Promise<void> {
    if (this.#link === undefined || this.#parts.connection.backend.current !== 'redis') return;
    if (!this.#link.verified) void this.#link.verify();
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, READY_WITHIN_MS)));
    await Promise.race([this.#link.first, over]);
    clearTimeout(timer);
  }

  /** Without tracking values come from Redis: slower, and right. */
  report(): HealthReport {
    const { coherent } = this.#changes;
    const tracking = this.#link === undefined ? 'process' : (this.#link.tracking.mode ?? 'seeking');
    const pending = this.#pending.size;
    const well = (coherent || tracking === 'off') && pending === 0;
    return { status: well ? 'up' : 'degraded', tracking, coherent, pending };
  }

  /** Ends what loads, and tells Redis what it has missed. */
  async close(): Promise<void> {
    this.#unfollow();
    this.#link?.close();
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
    const now = performance.now();
    if (isRedisUnavailable(error) || now - this.#reportedAt < REPORT_EVERY_MS) return; // the backend tells of outages
    this.#reportedAt = now;
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
