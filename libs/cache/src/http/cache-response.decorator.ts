import { applyDecorators, UseGuards } from '@nestjs/common';
import { cachedResponse } from './http-cache.metadata.js';
import type { CacheRequest, CacheResponseOptions } from './http-cache.options.js';
import { HttpCacheGuard } from './http-cache.guard.js';

/**
 * Keeps the responses of a route as they were sent, and answers by them before anything of the route runs but its guards:
 * all of them have let the request pass, wherever the decorator stands. `false` takes a route out of
 * {@link HttpCacheInterceptor}.
 * @example
 * @CacheResponse({ ttl: '1m', tags: ['cars'] })
 * @CacheResponse({ ttl: '1m', varyBy: (request: FastifyRequest) => request.user.id, vary: ['accept-language'] })
 */
export function CacheResponse<R = CacheRequest>(options: CacheResponseOptions<R> | false = {}): MethodDecorator {
  const written = cachedResponse(options as CacheResponseOptions | false);
  return options === false ? written : applyDecorators(written, UseGuards(HttpCacheGuard));
}
