import { Injectable } from '@nestjs/common';
import { Metrics } from '@roost/redis';

/** How a question was answered. */
export type AnswerKind = 'hit_near' | 'hit_redis' | 'stale' | 'miss' | 'bypass';

/** What the gauges show at each scrape. */
export interface ShownGauges {
  readonly nearEntries: number;
  readonly nearBytes: number;
  readonly coherent: boolean;
  readonly pending: number;
}

/** What caches tell of themselves; never which key. */
@Injectable()
export class CacheMetrics {
  readonly #answers;
  readonly #loads;
  readonly #loadTime;
  readonly #invalidations;
  readonly #fenced;
  readonly #refused;
  readonly #large;
  readonly #damaged;
  #shown: () => ShownGauges = () => ({ nearEntries: 0, nearBytes: 0, coherent: false, pending: 0 });

  constructor(metrics: Metrics) {
    const answers = metrics.counter('roost_cache_requests_total', 'Values asked for, by how they were answered', [
      'result',
    ]);
    this.#answers = {
      hit_near: answers.labels({ result: 'hit_near' }),
      hit_redis: answers.labels({ result: 'hit_redis' }),
      stale: answers.labels({ result: 'stale' }),
      miss: answers.labels({ result: 'miss' }),
      bypass: answers.labels({ result: 'bypass' }),
    } satisfies Record<AnswerKind, unknown>;
    this.#loads = metrics.counter('roost_cache_loads_total', 'Loads by their outcome', ['outcome']);
    this.#loadTime = metrics.histogram('roost_cache_load_seconds', 'Time that loaders took').labels({});
    this.#invalidations = metrics.counter('roost_cache_invalidations_total', 'Invalidations by what they named', [
      'what',
    ]);
    this.#fenced = metrics.counter(
      'roost_cache_fenced_total',
      'Loads whose result an invalidation kept from being stored',
    );
    this.#refused = metrics.counter('roost_cache_refused_total', 'Values that were returned and not stored', [
      'reason',
    ]);
    this.#large = metrics.counter('roost_cache_large_total', 'Values that were stored though they are large');
    this.#damaged = metrics.counter(
      'roost_cache_damaged_total',
      'Keys that held something that is no value of this cache',
    );
    const gauge = (name: string, help: string, of: (shown: ShownGauges) => number) => {
      const made: { set(value: number): void } = metrics.gauge(name, help, [], () => made.set(of(this.#shown())));
    };
    gauge('roost_cache_near_entries', 'Values in this process', ({ nearEntries }) => nearEntries);
    gauge('roost_cache_near_bytes', 'What they take, estimated', ({ nearBytes }) => nearBytes);
    gauge('roost_cache_coherent', 'Whether this process is told of every change', ({ coherent }) => Number(coherent));
    const pending = 'Invalidations that Redis is yet to be told of';
    gauge('roost_cache_pending_invalidations', pending, (shown) => shown.pending);
  }

  /** Where the gauges are read from at each scrape. */
  show(shown: () => ShownGauges): void {
    this.#shown = shown;
  }

  answered(kind: AnswerKind, times = 1): void {
    this.#answers[kind].inc(times);
  }

  loaded(outcome: 'ok' | 'failed', tookMs: number): void {
    this.#loads.inc({ outcome });
    this.#loadTime.observe(tookMs / 1_000);
  }

  invalidated(what: 'key' | 'tag' | 'all', times = 1): void {
    this.#invalidations.inc({ what }, times);
  }

  fenced(): void {
    this.#fenced.inc({});
  }

  refused(reason: 'oversize' | 'unstorable'): void {
    this.#refused.inc({ reason });
  }

  large(): void {
    this.#large.inc({});
  }

  damaged(): void {
    this.#damaged.inc({});
  }

  /** What `stats()` needs of all this. */
  totals() {
    const value = (series: { readonly value: number }) => series.value;
    return {
      near: value(this.#answers.hit_near),
      redis: value(this.#answers.hit_redis),
      stale: value(this.#answers.stale),
      misses: value(this.#answers.miss),
      bypassed: value(this.#answers.bypass),
      ok: value(this.#loads.labels({ outcome: 'ok' })),
      failed: value(this.#loads.labels({ outcome: 'failed' })),
      fenced: value(this.#fenced.labels({} as never)),
      oversize: value(this.#refused.labels({ reason: 'oversize' })),
    };
  }
}
