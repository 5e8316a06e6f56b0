import { Reflector } from '@nestjs/core';
import { InvalidOptionsError, type DecoratedMethod } from '@roost/redis';
import { cachedQuery } from './cached-query.metadata.js';
import { problemsOf } from './cached-query.options.js';

const RESOLVER = 'graphql:resolver_type'; // of @nestjs/graphql, which is not needed for more

/** @throws InvalidOptionsError that names every problem of every `@CachedQuery`. */
export function checkQueries(methods: Iterable<DecoratedMethod>): void {
  const reflector = new Reflector();
  const problems: string[] = [];
  for (const { at, method } of methods) {
    const options = reflector.get(cachedQuery, method as never);
    if (options === undefined) continue;
    const found = problemsOf(options);
    const type: unknown = Reflect.getMetadata(RESOLVER, method);
    if (type !== 'Query') found.push(`Only a method with @Query can be cached, this one is ${nameOf(type)}`);
    problems.push(...found.map((problem) => `@CachedQuery on ${at}: ${problem}`));
  }
  if (problems.length > 0) throw new InvalidOptionsError('@roost/cache/graphql', [...new Set(problems)]);
}

function nameOf(type: unknown): string {
  return typeof type === 'string' ? `a ${type}` : 'no resolver of the root';
}
