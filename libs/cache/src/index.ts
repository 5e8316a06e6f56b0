// HTTP
export { CacheResponse } from './http/cache-response.decorator.js';
export { HttpCacheGuard } from './http/http-cache.guard.js';
export { HttpCacheInterceptor } from './http/http-cache.interceptor.js';
export type { CacheRequest, CacheResponseOptions } from './http/http-cache.options.js';
