import { Injectable, Logger, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { attachDecision, decisionOf, type Decision } from '../decision.js';
import { isCost, type Limit } from '../policies/limit.js';
import { exposedHeaders, headersOf } from './rate-limit.headers.js';
import { RateLimitRoutes } from '../policies/rate-limit.routes.js';
import { RateLimitSubjects } from './rate-limit.subjects.js';
import { Settlements } from './settlements.js';
import type { Charge } from '../switching/rate-limit.switch.js';
import { RateLimiter } from '../rate-limiter.service.js';
import { ThrottleConfig } from '../throttle.config.js';
import { InvalidCostError, refusalOf } from '../throttle.errors.js';

const EXPOSE_HEADERS = 'Access-Control-Expose-Headers';

/**
 * Applies the limits of `@RateLimit` to HTTP requests, and puts the headers on their answers. Comes with the decorator;
 * made global, it does not count twice. Other contexts (WebSocket, GraphQL, RPC) pass uncounted, with one warning each.
 */
@Injectable()
export class RateLimitGuard implements CanActivate {
  readonly #logger = new Logger('RateLimit');
  readonly #uncounted = new Set<unknown>();

  constructor(
    private readonly limiter: RateLimiter,
    private readonly routes: RateLimitRoutes,
    private readonly subjects: RateLimitSubjects,
    private readonly adapters: HttpAdapterHost,
    private readonly settlements: Settlements,
    private readonly config: ThrottleConfig,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const limits = this.routes.of(context.getClass(), context.getHandler() as never);
    if (limits.length === 0) return true;
    if (context.getType() !== 'http') return this.#passUncounted(context);
    // The guard may be both global and on the route, or on class and method: one request is counted once.
    if (decisionOf(context.switchToHttp().getRequest()) !== undefined) return true;
    return this.#check(limits, context);
  }

  async #check(limits: readonly Limit[], context: ExecutionContext): Promise<boolean> {
    const decision = await this.limiter.decide(await this.#charges(limits, context), 'consume');
    const http = context.switchToHttp();
    attachDecision(http.getRequest(), decision);
    this.#setHeaders(decision, http.getResponse());
    if (decision.allowed) {
      this.settlements.track(decision, context, http.getResponse());
      return true;
    }
    throw refusalOf(decision);
  }

  async #charges(limits: readonly Limit[], context: ExecutionContext): Promise<Charge[]> {
    const charges: Charge[] = [];
    let tier: string | null | undefined;
    let tierKnown = false;
    for (const limit of limits) {
      let { quota } = limit;
      if (quota === 'byTier') {
        if (!tierKnown) tier = await this.config.options.tierOf!(context);
        tierKnown = true;
        quota = this.config.tiers!.quotaOf(tier);
      }
      if (quota === 'unlimited') continue;
      const cost = typeof limit.cost === 'number' ? limit.cost : limit.cost(context);
      if (!isCost(cost)) throw new InvalidCostError(cost);
      const subject = this.subjects.of(limit, context);
      charges.push({ limit, quota, subject: typeof subject === 'string' ? subject : await subject, cost });
    }
    return charges;
  }

  #setHeaders(decision: Decision, response: unknown): void {
    const adapter = this.adapters.httpAdapter;
    if (decision.policies.length === 0 || adapter.isHeadersSent(response)) return;
    const { headers, exposeHeaders } = this.config;
    for (const [name, value] of headersOf(decision, headers)) adapter.setHeader(response, name, value);
    if (exposeHeaders) {
      const already = adapter.getHeader(response, EXPOSE_HEADERS) as string | undefined;
      adapter.setHeader(response, EXPOSE_HEADERS, exposedHeaders(headers, already));
    }
    if (decision.allowed) return;
    // Set here, because Nest's own exception filter would answer with application/json.
    adapter.setHeader(response, 'Content-Type', 'application/problem+json; charset=utf-8');
  }

  #passUncounted(context: ExecutionContext): true {
    const handler = context.getHandler();
    if (this.#uncounted.has(handler)) return true;
    this.#uncounted.add(handler);
    const place = `${context.getClass().name}.${handler.name}`;
    this.#logger.warn(`@RateLimit on ${place} limits HTTP only; its ${context.getType()} calls pass uncounted.`);
    return true;
  }
}
