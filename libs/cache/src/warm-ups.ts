import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { methodsOf, outsideRequests } from '@roost/redis';
import type { WarmEntry } from './cache.options.js';
import { CacheService } from './cache.service.js';
import { warmUpPlanOf, type WarmUpPlan } from './warm-up.decorator.js';

/** Runs every `@WarmUp` once the application has started. */
@Injectable()
export class WarmUps implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #logger = new Logger('Cache');
  readonly #stopped = new AbortController();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly cache: CacheService,
  ) {}

  onApplicationBootstrap(): void {
    for (const { at, method, single, call } of methodsOf(this.discovery, this.scanner)) {
      const plan = warmUpPlanOf(method);
      if (plan === undefined || !single) continue;
      outsideRequests(() => setImmediate(() => void this.#warm(at, plan, () => call() as WarmEntry[])));
    }
  }

  beforeApplicationShutdown(): void {
    this.#stopped.abort();
  }

  async #warm(at: string, { concurrency, withinMs }: WarmUpPlan, name: () => WarmEntry[] | Promise<WarmEntry[]>) {
    const startedAt = performance.now();
    const { signal: stopped } = this.#stopped;
    try {
      const entries = await name();
      if (entries.length === 0 || stopped.aborted) return;
      const signal = AbortSignal.any([stopped, AbortSignal.timeout(withinMs)]);
      const report = await this.cache.warm(entries, { concurrency, signal });
      if (stopped.aborted) return;
      const tookMs = Math.round(performance.now() - startedAt);
      const fields = { event: 'cache.warm', at, ...report, duration_ms: tookMs };
      if (report.loaded + report.present === report.total) this.#logger.log(`${at} is warm`, fields);
      else this.#logger.warn(`${at} is not warm: what is missing is loaded when it is asked for`, fields);
    } catch (error) {
      this.#logger.error(`${at} could not be warmed up: ${String(error)}`, { event: 'cache.warm', at });
    }
  }
}
