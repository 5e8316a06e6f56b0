import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { RedisModuleOptions } from './redis.options.js';

export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: REDIS_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<RedisModuleOptions>({ moduleName: 'Redis' })
  .setClassMethodName('forRoot')
  .setExtras<{
    /** The names of further connections, which must be known before an async factory runs. */
    connectionNames?: readonly string[];
  }>({ connectionNames: [] }, (definition) => ({ ...definition, global: true }))
  .build();
