import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { PresenceOptions } from './presence.options.js';

export const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN: PRESENCE_OPTIONS,
  OPTIONS_TYPE,
  ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<PresenceOptions>({ moduleName: 'Presence' })
  .setClassMethodName('forRoot')
  .setExtras({}, (definition) => ({ ...definition, global: true }))
  .build();
