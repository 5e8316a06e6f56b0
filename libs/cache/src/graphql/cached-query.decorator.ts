import { applyDecorators, UseInterceptors } from '@nestjs/common';
import { CachedQueryInterceptor } from './cached-query.interceptor.js';
import { cachedQuery } from './cached-query.metadata.js';
import type { CachedQueryOptions } from './cached-query.options.js';

/**
 * Keeps what the resolver of a query returns, for each operation and its variables. Guards run before; the resolvers of
 * its fields run for each request. Stands on a method with `@Query`: mutations and subscriptions are never kept.
 * @example
 * @Query(() => [Car])
 * @CachedQuery({ ttl: '1m', scope: 'public', tags: ['cars'] })
 * cars(@Args('city') city: string) { … }
 */
export function CachedQuery<Context = unknown>(options: CachedQueryOptions<Context>): MethodDecorator {
  return applyDecorators(cachedQuery(options as CachedQueryOptions), UseInterceptors(CachedQueryInterceptor));
}
