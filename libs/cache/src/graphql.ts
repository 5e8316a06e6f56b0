// Decorator
export { CachedQuery } from './graphql/cached-query.decorator.js';
export type { CachedQueryOptions } from './graphql/cached-query.options.js';

// Interceptor, which comes with the decorator
export { CachedQueryInterceptor } from './graphql/cached-query.interceptor.js';
