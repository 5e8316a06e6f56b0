// Module
export { RoostCacheManagerModule } from './cache-manager/cache-manager.module.js';
export type { RoostCacheManagerOptions } from './cache-manager/cache-manager.options.js';

// What it stores in
export { CacheManagerAdapter, type CacheManagerAdapterOptions } from './cache-manager/cache-manager.adapter.js';
