import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { HttpCache } from './http-cache.js';
import { HttpCacheRoutes } from './http-cache.routes.js';
import { exchangeOf } from './http-exchange.js';

/**
 * Answers a request by a response that was kept. A guard, because what comes after the guards costs more than such an
 * answer; the last one of its route, so that nobody is answered whom another guard refuses. Comes with `@CacheResponse`.
 */
@Injectable()
export class HttpCacheGuard implements CanActivate {
  constructor(
    private readonly http: HttpCache,
    private readonly routes: HttpCacheRoutes,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    if (context.getType() !== 'http') return true;
    const policy = this.routes.of(context.getClass(), context.getHandler());
    const exchange = exchangeOf(context.getArgByIndex(0), context.getArgByIndex(1));
    return policy === undefined || exchange === undefined ? true : this.http.admit(policy, exchange);
  }
}
