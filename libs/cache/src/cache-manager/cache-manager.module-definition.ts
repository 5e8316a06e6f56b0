import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { RoostCacheManagerOptions } from './cache-manager.options.js';

export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: CACHE_MANAGER_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<RoostCacheManagerOptions>({ moduleName: 'RoostCacheManager' })
  .setClassMethodName('forRoot')
  .setExtras({}, (definition) => ({ ...definition, global: true }))
  .build();
