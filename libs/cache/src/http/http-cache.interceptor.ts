import {
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { InvalidOptionsError } from '@roost/redis';
import { from, mergeMap, type Observable } from 'rxjs';
import { HttpCache } from './http-cache.js';
import { HttpCacheRoutes, type Handler } from './http-cache.routes.js';
import type { CacheRequest, CacheResponseOptions } from './http-cache.options.js';
import type { HttpCachePolicy } from './http-cache.policy.js';
import { problemsOf } from './http-cache.problems.js';
import { exchangeOf } from './http-exchange.js';

/**
 * What `@CacheResponse` does, for all routes of a controller or of the application that do not have it themselves. It
 * answers later than the guard of the decorator, and so costs more; where it stands among other interceptors makes no
 * difference to what is kept.
 * @example
 * @UseInterceptors(HttpCacheInterceptor.with({ ttl: '10s' }))
 * { provide: APP_INTERCEPTOR, useClass: HttpCacheInterceptor }
 */
@Injectable()
export class HttpCacheInterceptor implements NestInterceptor, OnModuleInit {
  readonly #policies = new WeakMap<Handler, Map<Type, HttpCachePolicy | undefined>>();

  protected readonly options: CacheResponseOptions = {};

  constructor(
    private readonly http: HttpCache,
    private readonly routes: HttpCacheRoutes,
  ) {}

  /** The interceptor with options of its own; without them responses are kept as long as the module says. */
  static with<R = CacheRequest>(options: CacheResponseOptions<R>): Type<HttpCacheInterceptor> {
    @Injectable()
    class HttpCacheInterceptorWithOptions extends HttpCacheInterceptor {
      protected override readonly options = options as CacheResponseOptions;
    }
    return HttpCacheInterceptorWithOptions;
  }

  onModuleInit(): void {
    const problems = problemsOf(this.options);
    if (problems.length > 0) throw new InvalidOptionsError('HttpCacheInterceptor', problems);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const exchange =
      context.getType() === 'http' ? exchangeOf(context.getArgByIndex(0), context.getArgByIndex(1)) : undefined;
    const policy = exchange && this.#policyOf(context.getClass(), context.getHandler());
    if (exchange === undefined || policy === undefined) return next.handle();
    const admitted = this.http.admit(policy, exchange);
    return admitted === true ? next.handle() : from(admitted).pipe(mergeMap(() => next.handle()));
  }

  #policyOf(owner: Type, handler: Handler): HttpCachePolicy | undefined {
    let byOwner = this.#policies.get(handler);
    if (byOwner === undefined) this.#policies.set(handler, (byOwner = new Map()));
    if (!byOwner.has(owner)) byOwner.set(owner, this.routes.withoutDecorator(owner, handler, this.options));
    return byOwner.get(owner);
  }
}
