// Module
export { CacheModule } from './cache.module.js';
export type { CacheModuleOptions, NearOptions } from './cache.options.js';

// Service and decorators
export { CacheService, type ManyLoader } from './cache.service.js';
export { Cached, CacheEvict, type CachedOptions, type CacheEvictOptions } from './cached.decorator.js';
export { CacheTTL } from './cache-ttl.js';

// Options and results
export type { CacheOptions, CacheResult, CacheSource, LoadContext, Loader } from './cache.options.js';
export type { CacheStats } from './cache.stats.js';
export type { Codec, CodecChoice } from './values/codec.js';
export type { WarmEntry, WarmOptions, WarmReport } from './warm-up.js';

// HTTP
export { CacheResponse } from './http/cache-response.decorator.js';
export { HttpCacheGuard } from './http/http-cache.guard.js';
export { HttpCacheInterceptor } from './http/http-cache.interceptor.js';
export type { CacheRequest, CacheResponseOptions } from './http/http-cache.options.js';

// Stores
export { CacheStore, type Begun, type Commit, type Ends, type Lease, type TagState } from './stores/cache.store.js';
export { cacheKeys, type Slot } from './cache.keys.js';
export { MemoryCacheStore, type MemoryCacheStoreOptions } from './stores/memory-cache.store.js';
export { RedisCacheStore } from './stores/redis-cache.store.js';

// Errors
export {
  CacheClosedError,
  CachedFailureError,
  CacheRecursionError,
  CacheTimeoutError,
  InvalidCacheOptionsError,
  UnstorableValueError,
} from './cache.errors.js';
