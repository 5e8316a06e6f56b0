import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { bothOf, carriedBy, carryOn, type Carried, type Decision } from '../decision.js';
import { isCost, type Limit } from '../policies/limit.js';
import { RateLimitRoutes } from '../policies/rate-limit.routes.js';
import { RateLimiter } from '../rate-limiter.service.js';
import type { Charge } from '../switching/charge.js';
import { ThrottleConfig } from '../throttle.config.js';
import { InvalidCostError } from '../throttle.errors.js';
import { httpRequestOf, httpResponseOf } from './caller.js';
import { EarlyRefusals } from './early-refusals.js';
import { remainderOf, type Passage } from './passages.js';
import { RateLimitSubjects } from './rate-limit.subjects.js';
import { Refusals } from './refusals.js';
import { tellOf } from './response-headers.js';
import { Settlements } from './settlements.js';

/** One call of a handler that the guard decides about. */
interface Call {
  readonly context: ExecutionContext;
  /** By the HTTP request, or what stands for it. */
  readonly carried: Carried;
  readonly arrivedAt: number;
  /** Of {@link EarlyRefusals}. */
  readonly epoch: number;
}

/**
 * Applies the limits of `@RateLimit` to HTTP requests, GraphQL resolvers, WebSocket and RPC messages, and puts the
 * headers on HTTP answers. Comes with the decorator; made global, it does not count twice.
 */
@Injectable()
export class RateLimitGuard implements CanActivate {
  readonly #refusals = new Refusals();

  constructor(
    private readonly limiter: RateLimiter,
    private readonly routes: RateLimitRoutes,
    private readonly subjects: RateLimitSubjects,
    private readonly settlements: Settlements,
    private readonly early: EarlyRefusals,
    private readonly config: ThrottleConfig,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const limits = this.routes.of(context.getClass(), context.getHandler() as never);
    if (limits.length === 0) return true;
    const request = httpRequestOf(context);
    // A message of a WebSocket or a broker is a request of its own: its arguments are what all its guards share.
    const carrier = request === undefined ? context.getArgs() : (request.raw ?? request);
    const carried = carriedBy(carrier) ?? carryOn(carrier);
    const { passage } = carried;
    return passage === undefined
      ? this.#charge(limits, context, carried)
      : this.#chargeRest(limits, context, carried, passage);
  }

  #charge(limits: readonly Limit[], context: ExecutionContext, carried: Carried): boolean | Promise<boolean> {
    const call = { context, carried, arrivedAt: performance.now(), epoch: this.early.epoch };
    const charges = this.#charges(limits, context);
    const outcome = Array.isArray(charges)
      ? this.#decide(charges, call)
      : charges.then((found) => this.#decide(found, call));
    carried.passage = { limits, call: context, outcome, earlier: carried.passage };
    return outcome;
  }

  /** The guard may be both global and on the route, on class and method, and on many resolvers of one request. */
  async #chargeRest(
    limits: readonly Limit[],
    context: ExecutionContext,
    carried: Carried,
    last: Passage,
  ): Promise<boolean> {
    const { open, settled } = remainderOf(limits, context, last);
    const outcomes = open.length === 0 ? settled : [...settled, this.#charge(open, context, carried)];
    return (await Promise.all(outcomes.map((each) => Promise.resolve(each)))).every(Boolean);
  }

  #decide(charges: readonly Charge[], call: Call): boolean | Promise<boolean> {
    const decided = this.limiter.decide(charges, 'consume');
    return 'then' in decided
      ? decided.then((decision) => this.#apply(decision, charges, call))
      : this.#apply(decided, charges, call);
  }

  #apply(decision: Decision, charges: readonly Charge[], call: Call): boolean | Promise<boolean> {
    const { context, carried } = call;
    const before = carried.decision;
    const whole = before === undefined ? decision : bothOf(before, decision);
    carried.decision = whole;
    const response = httpResponseOf(context);
    const type = context.getType<string>();
    if (response !== undefined) tellOf(whole, response, this.config, type === 'http' && !decision.allowed);
    if (decision.allowed) {
      this.settlements.track(decision, context, response);
      return true;
    }
    if (type === 'http' && before === undefined && isUnchanged(this)) {
      this.early.learn(context.getArgByIndex(0), { ...call, decision, charges });
    }
    return this.#refuse(type, decision);
  }

  async #refuse(type: string, decision: Decision): Promise<never> {
    throw await this.#refusals.of(type, decision);
  }

  /** At once where nothing has to be waited for, which is the rule: a promise costs as much as the rest. */
  #charges(limits: readonly Limit[], context: ExecutionContext): Charge[] | Promise<Charge[]> {
    const charges: Charge[] = [];
    for (let i = 0; i < limits.length; i++) {
      const limit = limits[i]!;
      const { quota } = limit;
      if (quota === 'unlimited') continue;
      if (quota === 'byTier') return this.#slowly(charges, limits, i, context);
      const subject = this.subjects.of(limit, context);
      if (typeof subject !== 'string') return this.#slowly(charges, limits, i, context, subject);
      charges.push({ limit, quota, subject, cost: costOf(limit, context) });
    }
    return charges;
  }

  /** The rest of the charges, from the first that has to be waited for. */
  async #slowly(
    charges: Charge[],
    limits: readonly Limit[],
    from: number,
    context: ExecutionContext,
    begun?: Promise<string>,
  ): Promise<Charge[]> {
    const first = await begun;
    const { tierOf } = this.config.options;
    const tier = limits.some(({ quota }) => quota === 'byTier') ? await tierOf!(context) : undefined;
    for (let i = from; i < limits.length; i++) {
      const limit = limits[i]!;
      const quota = limit.quota === 'byTier' ? this.config.tiers!.quotaOf(tier) : limit.quota;
      if (quota === 'unlimited') continue;
      const subject = i === from && first !== undefined ? first : await this.subjects.of(limit, context);
      charges.push({ limit, quota, subject, cost: costOf(limit, context) });
    }
    return charges;
  }
}

function costOf({ cost }: Limit, context: ExecutionContext): number {
  const taken = typeof cost === 'number' ? cost : cost(context);
  if (!isCost(taken)) throw new InvalidCostError(taken);
  return taken;
}

/** A guard that somebody has derived may let pass whom this one refuses, by whatever it looks at. */
function isUnchanged(guard: RateLimitGuard): boolean {
  return Object.getPrototypeOf(guard) === RateLimitGuard.prototype;
}
