import type { ExecutionContext, Type } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { InvalidOptionsError, type DecoratedMethod } from '@roost/redis';
import { cachedResponse } from './http-cache.metadata.js';
import type { CacheResponseOptions } from './http-cache.options.js';
import { problemsOf } from './http-cache.problems.js';
import { resolvePolicy, type HttpCachePolicy } from './http-cache.policy.js';

export type Handler = ReturnType<ExecutionContext['getHandler']>;

// Nest's own keys, which `@nestjs/common` does not export.
const HTTP_METHOD = 'method';
const SSE = '__sse__';
const VERSION = '__version__';

/** Knows how the responses of each route are kept. Metadata is read once per route, and never during a request. */
export class HttpCacheRoutes {
  readonly #reflector = new Reflector();
  readonly #routes = new WeakMap<Type, Map<Handler, HttpCachePolicy | undefined>>();

  /** @throws InvalidOptionsError that names every problem of every `@CacheResponse`. */
  constructor(methods: Iterable<DecoratedMethod>) {
    const problems: string[] = [];
    for (const { at, method } of methods) {
      const options = this.#reflector.get(cachedResponse, method as Handler);
      if (options === undefined || options === false) continue;
      problems.push(...problemsAt(at, options));
      if (!Reflect.hasMetadata(HTTP_METHOD, method)) {
        problems.push(
          `@CacheResponse on ${at}: it is no HTTP route. Resolvers have @CachedQuery, other methods @Cached`,
        );
      } else if (Reflect.hasMetadata(SSE, method)) {
        problems.push(`@CacheResponse on ${at}: events that are sent as they happen (@Sse) cannot be kept`);
      }
    }
    if (problems.length > 0) throw new InvalidOptionsError('CacheModule', [...new Set(problems)]);
  }

  /** What `@CacheResponse` says of a route; undefined without it. */
  of(owner: Type, handler: Handler): HttpCachePolicy | undefined {
    let handlers = this.#routes.get(owner);
    if (handlers === undefined) this.#routes.set(owner, (handlers = new Map<Handler, HttpCachePolicy | undefined>()));
    if (!handlers.has(handler)) {
      const options = this.#reflector.get(cachedResponse, handler);
      handlers.set(handler, options ? policyOf(options, owner, handler) : undefined);
    }
    return handlers.get(handler);
  }

  /** What an interceptor does at a route; undefined where `@CacheResponse` has the say. */
  withoutDecorator(owner: Type, handler: Handler, options: CacheResponseOptions): HttpCachePolicy | undefined {
    const decorated = this.#reflector.get(cachedResponse, handler) !== undefined;
    return decorated || Reflect.hasMetadata(SSE, handler) ? undefined : policyOf(options, owner, handler);
  }
}

/** A module that was loaded lazily, after the boot, is checked only now. */
function policyOf(options: CacheResponseOptions, owner: Type, handler: Handler): HttpCachePolicy {
  const name = `${owner.name}.${handler.name}`;
  const problems = problemsAt(name, options);
  if (problems.length > 0) throw new InvalidOptionsError('CacheModule', problems);
  return resolvePolicy(options, name, versionOf(owner, handler));
}

function problemsAt(route: string, options: CacheResponseOptions): string[] {
  return problemsOf(options).map((problem) => `@CacheResponse on ${route}: ${problem}`);
}

/** Versions that stand in a header are told apart by the route, not by the path. */
function versionOf(owner: Type, handler: Handler): string {
  const version: unknown = Reflect.getMetadata(VERSION, handler) ?? Reflect.getMetadata(VERSION, owner);
  return [version]
    .flat()
    .filter((each) => typeof each === 'string')
    .join('|');
}
