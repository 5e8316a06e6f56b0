// Module
export { RoostCacheManagerModule } from './cache-manager/cache-manager.module.js';
export type { RoostCacheManagerOptions } from './cache-manager/cache-manager.options.js';
