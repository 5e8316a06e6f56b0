import { Injectable } from '@nestjs/common';
import type { CacheResult } from '../cache.options.js';
import { CacheService } from '../cache.service.js';
import { cacheStatus, forwarded } from './cache-status.js';
import { answer } from './cached-answer.js';
import type { HttpCachePolicy } from './http-cache.policy.js';
import { HttpCacheReports } from './http-cache.reports.js';
import { isOver, setHeader, type HttpExchange } from './http-exchange.js';
import { Miss } from './http-miss.js';
import { keyOf } from './request-key.js';
import { wishesOf, type RequestWishes } from './request-wishes.js';
import type { StoredResponse } from './stored-response.js';
import { UncacheableKeys } from './uncacheable-keys.js';

/** Answers requests by responses that were kept, and keeps those of requests that it lets through. */
@Injectable()
export class HttpCache {
  readonly #uncacheable = new UncacheableKeys();

  constructor(
    private readonly cache: CacheService,
    private readonly reports: HttpCacheReports,
  ) {}

  /**
   * True when the request is to be handled. A promise when that is not known yet; it never settles for a request that was
   * answered, so that nothing runs after that.
   */
  admit(policy: HttpCachePolicy, exchange: HttpExchange): true | Promise<true> {
    const { request } = exchange;
    const key = keyOf(policy, request);
    if (typeof key !== 'string') {
      this.reports.notAsked(policy.name, key.because);
      return this.#letPass(exchange, forwarded[key.forward]);
    }
    const wishes = policy.options.obeyRequests === true ? wishesOf(request.headers['cache-control']) : undefined;
    if (wishes?.noStore === true) return this.#letPass(exchange, forwarded.requested);
    const near = this.cache.peek<StoredResponse>(key);
    if (near !== undefined && (wishes === undefined || near.ageMs <= wishes.maxAgeMs)) {
      this.#hit(policy, exchange, near);
      return never();
    }
    if (request.method === 'HEAD' || wishes !== undefined) return this.#lookUp(key, policy, exchange, wishes);
    if (this.#uncacheable.has(key)) return this.#letPass(exchange, forwarded.uncacheable);
    return this.#miss(key, policy, exchange);
  }

  /** A HEAD has no body to be kept; and what a request does not want is ended before it is loaded anew. */
  async #lookUp(
    key: string,
    policy: HttpCachePolicy,
    exchange: HttpExchange,
    wishes: RequestWishes | undefined,
  ): Promise<true> {
    const found = await this.cache.lookup<StoredResponse>(key);
    if (found !== undefined && (wishes === undefined || found.ageMs <= wishes.maxAgeMs)) {
      this.#hit(policy, exchange, found);
      return never();
    }
    if (exchange.request.method === 'HEAD') return this.#letPass(exchange, forwarded.miss);
    if (found !== undefined) await this.cache.expire(key);
    return this.#miss(key, policy, exchange);
  }

  #miss(key: string, policy: HttpCachePolicy, exchange: HttpExchange): Promise<true> {
    return new Promise((proceed) => {
      new Miss(policy, exchange, {
        letPass: (status) => {
          if (status !== undefined) this.#letPass(exchange, status);
          proceed(true);
        },
        hit: (result) => this.#hit(policy, exchange, result),
        outcome: (outcome) => this.reports.count(outcome),
        failed: (error) => this.reports.notAsked(policy.name, error instanceof Error ? error.message : String(error)),
        uncacheable: (because) => {
          this.#uncacheable.add(key);
          if (because !== undefined) this.reports.notKept(policy.name, because);
        },
      }).ask(this.cache, key);
    });
  }

  #hit(policy: HttpCachePolicy, exchange: HttpExchange, result: CacheResult<StoredResponse>): void {
    if (isOver(exchange.response)) return; // the client is gone, or was told of a timeout
    const collapsed = result.source === 'loader';
    this.reports.count(collapsed ? 'collapsed' : result.source === 'stale' ? 'stale' : 'hit');
    answer(exchange, policy, result, collapsed ? forwarded.collapsed : cacheStatus(result));
  }

  #letPass({ response }: HttpExchange, status: string): true {
    this.reports.count(status === forwarded.miss ? 'miss' : 'bypass');
    if (!isOver(response)) setHeader(response, 'cache-status', status);
    return true;
  }
}

/** Each its own: one that all requests wait for would keep them all. */
function never(): Promise<never> {
  return new Promise<never>(() => undefined);
}
