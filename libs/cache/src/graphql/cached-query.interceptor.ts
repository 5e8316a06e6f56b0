import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModulesContainer, Reflector } from '@nestjs/core';
import { methodsOf } from '@roost/redis';
import type { GraphQLResolveInfo } from 'graphql';
import { from, lastValueFrom, type Observable } from 'rxjs';
import type { CacheOptions } from '../cache.options.js';
import { CacheService } from '../cache.service.js';
import { checkQueries } from './cached-query.check.js';
import { cachedQuery } from './cached-query.metadata.js';
import type { CachedQueryOptions } from './cached-query.options.js';
import { OperationKeys } from './operation-key.js';

/** Answers a query by what its resolver has returned before. Comes with `@CachedQuery`. */
@Injectable()
export class CachedQueryInterceptor implements NestInterceptor {
  readonly #reflector = new Reflector();
  readonly #keys = new OperationKeys();

  constructor(
    private readonly cache: CacheService,
    modules: ModulesContainer,
  ) {
    // Made at the boot, for each module that has such a query; each looks at all, so that one error names every problem.
    checkQueries(methodsOf(new DiscoveryService(modules), new MetadataScanner()));
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const options = this.#reflector.get(cachedQuery, context.getHandler());
    if (options === undefined || context.getType<string>() !== 'graphql') return next.handle();
    const [, args, graphql, info] = context.getArgs<[unknown, Record<string, unknown>, unknown, GraphQLResolveInfo]>();
    const key = this.#keyOf(options, graphql, info);
    if (key === undefined) return next.handle();
    // As undefined a result would not be kept; GraphQL makes no difference.
    const load = async () => (await lastValueFrom(next.handle(), { defaultValue: null })) ?? null;
    return from(this.cache.getOrSet<unknown>(key, load, cacheOptions(options, args)));
  }

  #keyOf({ scope }: CachedQueryOptions, graphql: unknown, info: GraphQLResolveInfo): string | undefined {
    if (info.operation.operation !== 'query' || info.path.prev !== undefined) return undefined;
    const owner = scope === 'public' ? '' : scope(graphql);
    if (scope !== 'public' && (typeof owner !== 'string' || owner === '')) return undefined;
    const key = this.#keys.of(info);
    return key && `${key}:${scope === 'public' ? 'public' : `of:${owner}`}`;
  }
}

function cacheOptions({ ttl, grace, tags, codec }: CachedQueryOptions, args: Record<string, unknown>): CacheOptions {
  return {
    ttl,
    codec: codec ?? 'v8',
    ...(grace !== undefined && { grace }),
    ...(tags !== undefined && { tags: typeof tags === 'function' ? tags(args) : tags }),
  };
}
