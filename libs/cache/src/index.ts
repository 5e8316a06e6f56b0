// Module
export { CacheModule } from './cache.module.js';
export type { CacheModuleOptions, NearOptions } from './cache.options.js';

// Service and decorators
export { CacheService, type ManyLoader } from './cache.service.js';
export { Cached, CacheEvict, type CachedOptions, type CacheEvictOptions } from './cached.decorator.js';
export { cacheKey } from './cache-key.js';
export { CacheTTL } from './cache-ttl.js';
export { WarmUp, type WarmUpOptions } from './warm-up.decorator.js';

// Options and results
export type {
  CacheOptions,
  CacheResult,
  CacheSource,
  LoadContext,
  Loader,
  WarmEntry,
  WarmOptions,
  WarmReport,
} from './cache.options.js';
export type { CacheStats } from './cache.stats.js';
export type { Codec, CodecChoice } from './values/codec.js';

// HTTP
export { cacheStatus } from './http/cache-status.js';
export { CacheResponse } from './http/cache-response.decorator.js';
export { HttpCacheGuard } from './http/http-cache.guard.js';
export { HttpCacheInterceptor } from './http/http-cache.interceptor.js';
export type { CacheRequest, CacheResponseOptions } from './http/http-cache.options.js';

// Stores
export { CacheStore, type Begun, type Commit, type Ends, type Lease, type TagState } from './stores/cache.store.js';
export { cacheKeys, type Slot } from './cache.keys.js';
export { MemoryCacheStore, type MemoryCacheStoreOptions } from './stores/memory-cache.store.js';
export { RedisCacheStore } from './stores/redis-cache.store.js';

// CACHE_MANAGER, which comes from @roost/cache/cache-manager
export { cacheManagerKeys } from './cache-manager/cache-manager.keys.js';
export { UnsupportedKeyvError } from './cache-manager/cache-manager.errors.js';

// Errors
export {
  CacheClosedError,
  CachedFailureError,
  CacheRecursionError,
  CacheTimeoutError,
  InvalidCacheOptionsError,
  UnstorableValueError,
} from './cache.errors.js';

// What it saves
export { estimateSavings } from './savings.js';
export type { CallCost, CallSavings, SavingsAssumptions, SavingsEstimate, SavingsOver } from './savings.js';
