import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { LockOptions } from './lock.options.js';

export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: LOCK_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<LockOptions>({ moduleName: 'Lock' })
  .setClassMethodName('forRoot')
  .setExtras({}, (definition) => ({ ...definition, global: true }))
  .build();
