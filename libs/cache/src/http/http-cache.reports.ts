import { Injectable, Logger } from '@nestjs/common';
import { Metrics } from '@roost/redis';

const MAX_MESSAGES = 1_000;

/** How a request was answered: by a fresh response, a stale one, its handler, that of another request, or past the cache. */
export type Outcome = 'hit' | 'stale' | 'miss' | 'collapsed' | 'bypass';

/** Counts requests, and says once for each route and reason why something is not kept. */
@Injectable()
export class HttpCacheReports {
  readonly #logger = new Logger('HttpCache');
  readonly #told = new Set<string>();
  readonly #series: Readonly<Record<Outcome, { inc(): void }>>;

  constructor(metrics: Metrics) {
    const help = 'Requests of cached routes: hit, stale, miss, collapsed or bypass';
    const counter = metrics.counter('roost_cache_http_requests_total', help, ['outcome']);
    const series = (outcome: Outcome) => counter.labels({ outcome });
    this.#series = {
      hit: series('hit'),
      stale: series('stale'),
      miss: series('miss'),
      collapsed: series('collapsed'),
      bypass: series('bypass'),
    };
  }

  count(outcome: Outcome): void {
    this.#series[outcome].inc();
  }

  notAsked(route: string, because: string): void {
    this.#once(`${route} did not use the cache for a request: ${because}.`);
  }

  notKept(route: string, because: string): void {
    this.#once(`A response of ${route} was not cached: ${because}.`);
  }

  #once(message: string): void {
    if (this.#told.has(message) || this.#told.size >= MAX_MESSAGES) return;
    this.#told.add(message);
    this.#logger.warn(message);
  }
}
