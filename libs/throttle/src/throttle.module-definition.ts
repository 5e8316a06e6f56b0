import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { ThrottleOptions } from './throttle.options.js';

export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: THROTTLE_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<ThrottleOptions>({ moduleName: 'Throttle' })
  .setClassMethodName('forRoot')
  .setExtras({}, (definition) => ({ ...definition, global: true }))
  .build();
