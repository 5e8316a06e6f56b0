import { CacheTimeoutError } from '../cache.errors.js';
import type { CacheOptions, CacheResult, LoadContext } from '../cache.options.js';
import type { CacheService } from '../cache.service.js';
import { cacheStatus, forwarded } from './cache-status.js';
import { isKnown, ourHeaders } from './cached-answer.js';
import type { HttpCachePolicy } from './http-cache.policy.js';
import type { Outcome } from './http-cache.reports.js';
import { rawOf, type HttpExchange } from './http-exchange.js';
import { capture, type Amendment, type WholeResponse } from './response-capture.js';
import { judge } from './shareable-response.js';
import type { StoredResponse } from './stored-response.js';

/** What becomes of a request that was not answered at once. */
export interface MissEnds {
  /** It is handled; `status` is told, unless the response is captured and is told later. */
  letPass(status?: string): void;
  hit(result: CacheResult<StoredResponse>): void;
  outcome(outcome: Outcome): void;
  /** No response of its key is to be waited for. */
  uncacheable(because?: string): void;
  /** The cache could not be asked. */
  failed(error: unknown): void;
}

/** A failure of the handler: its response is given to those who waited for it, and is not kept. */
class FailedResponse extends Error {
  constructor(readonly response: StoredResponse) {
    super(`The handler answered ${response.status}.`);
  }
}

/** What is loaded when there is no response for those who wait: it is not for others, or nobody was left to be handled. */
type Nothing = 'not shared' | 'not made';

type Found = CacheResult<StoredResponse | Nothing>;

/**
 * A request that nothing was there for. It asks the cache: to be the one that loads means to be handled, and its response,
 * captured, is what was loaded. All others wait for that response.
 */
export class Miss {
  readonly #policy: HttpCachePolicy;
  readonly #exchange: HttpExchange;
  readonly #ends: MissEnds;
  #state: 'waiting' | 'leading' | 'over' = 'waiting';
  #found: Promise<Found>;

  constructor(policy: HttpCachePolicy, exchange: HttpExchange, ends: MissEnds) {
    this.#policy = policy;
    this.#exchange = exchange;
    this.#ends = ends;
  }

  ask(cache: CacheService, key: string): void {
    this.#found = cache.fetch<StoredResponse | Nothing>(key, (context) => this.#lead(context), this.#options());
    this.#found.then(
      (found) => {
        if (this.#state !== 'waiting') return;
        if (found.value === 'not made') this.ask(cache, key);
        else this.#follow(found);
      },
      (error: unknown) => this.#followFailure(error),
    );
  }

  #options(): CacheOptions {
    const { options, load } = this.#policy;
    return typeof options.tags === 'function' ? { ...load, tags: options.tags(this.#exchange.request) } : load;
  }

  #lead(context: LoadContext): Promise<StoredResponse | Nothing> | Nothing {
    if (this.#state !== 'waiting') {
      context.skip(); // it has waited long enough, and cannot be handled any more
      return 'not made';
    }
    this.#state = 'leading';
    return new Promise((loaded, failed) => {
      context.signal.addEventListener('abort', () => failed(context.signal.reason), { once: true });
      const nothing = () => {
        context.skip();
        loaded('not shared');
      };
      this.#capture({ loaded, failed, nothing });
      this.#ends.letPass();
    });
  }

  #capture(load: {
    loaded(response: StoredResponse): void;
    failed(error: FailedResponse): void;
    nothing(): void;
  }): void {
    const { response } = this.#exchange;
    const varyBefore = response.getHeader('vary');
    const conditions = this.#withoutConditions();
    capture(rawOf(response), {
      streamed: () => {
        conditions.restore();
        this.#ends.outcome('miss');
        this.#ends.uncacheable('it is sent in parts');
        load.nothing();
      },
      whole: (whole) => {
        conditions.restore();
        this.#ends.outcome('miss');
        const verdict = judge(this.#policy, whole, varyBefore);
        if (verdict.kind === 'stored') {
          load.loaded(verdict.stored);
          return this.#whenStored(verdict.stored, conditions.ifNoneMatch, whole);
        }
        if (verdict.kind === 'failed') {
          load.failed(new FailedResponse(verdict.stored));
          return this.#whenFailed();
        }
        this.#ends.uncacheable(verdict.because);
        load.nothing();
        return Promise.resolve({ headers: [['cache-status', forwarded.miss]] });
      },
    });
  }

  async #whenStored(
    stored: StoredResponse,
    ifNoneMatch: string | string[] | undefined,
    { headers }: WholeResponse,
  ): Promise<Amendment> {
    const found = await this.#found.catch(() => undefined); // the response was made all the same
    const status =
      found === undefined ? forwarded.miss : found.source === 'loader' ? cacheStatus(found) : forwarded.stale;
    const known = isKnown(ifNoneMatch, stored, this.#exchange.request.method);
    return {
      headers: [...ourHeaders(this.#policy, stored, headers.get('vary')), ['cache-status', status]],
      ...(known && { instead: { status: 304, body: undefined } }),
    };
  }

  /** Something stale is sent rather than the failure. */
  async #whenFailed(): Promise<Amendment> {
    const found = await this.#found.catch(() => undefined); // the failure itself, which is sent
    // Those who load are given a failure or something stale, and no other's response.
    if (found === undefined || isNothing(found.value)) return { headers: [['cache-status', forwarded.miss]] };
    const { value, ageMs } = found as CacheResult<StoredResponse>;
    return {
      instead: { status: value.status, body: value.body, without: this.#policy.headers },
      headers: [
        ...value.headers,
        ...ourHeaders(this.#policy, value, rawOf(this.#exchange.response).getHeader('vary')),
        ['age', String(Math.floor(ageMs / 1_000))],
        ['cache-status', forwarded.stale],
      ],
    };
  }

  /**
   * The handler makes the whole response, of which others may need more than this client, and Express would answer 304 by
   * an ETag of its own.
   */
  #withoutConditions() {
    const { request } = this.#exchange;
    const headers = (request.raw ?? request).headers as Record<string, string | string[] | undefined>;
    const { 'if-none-match': ifNoneMatch, 'if-modified-since': ifModifiedSince } = headers;
    delete headers['if-none-match'];
    delete headers['if-modified-since'];
    const restore = () => {
      if (ifNoneMatch !== undefined) headers['if-none-match'] = ifNoneMatch;
      if (ifModifiedSince !== undefined) headers['if-modified-since'] = ifModifiedSince;
    };
    return { ifNoneMatch, restore };
  }

  #follow({ value, ...found }: Found): void {
    this.#state = 'over';
    if (!isNothing(value)) return this.#ends.hit({ ...found, value });
    this.#ends.uncacheable();
    this.#ends.letPass(forwarded.uncacheable);
  }

  #followFailure(error: unknown): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'over';
    if (error instanceof FailedResponse) {
      const at = { source: 'loader', loadedAtMs: 0, ageMs: 0, ttlMs: 0, stored: false } as const;
      this.#ends.hit({ ...at, value: error.response });
    } else {
      if (!(error instanceof CacheTimeoutError)) this.#ends.failed(error);
      this.#ends.letPass(forwarded.miss);
    }
  }
}

function isNothing(value: StoredResponse | Nothing): value is Nothing {
  return typeof value === 'string';
}
