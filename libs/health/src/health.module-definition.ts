import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { HealthModuleOptions } from './health.options.js';

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN: HEALTH_OPTIONS } =
  new ConfigurableModuleBuilder<HealthModuleOptions>({ moduleName: 'RoostHealth' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createHealthOptions')
    .build();

/** The options, checked once, with nothing left open. */
export const HEALTH_SETTINGS = Symbol('HealthSettings');
