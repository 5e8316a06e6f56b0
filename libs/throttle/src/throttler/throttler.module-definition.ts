import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { RoostThrottlerOptions } from './throttler.options.js';

export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: THROTTLER_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<RoostThrottlerOptions>({ moduleName: 'RoostThrottler' })
  .setClassMethodName('forRoot')
  .setExtras({}, (definition) => ({ ...definition, global: true }))
  .build();
