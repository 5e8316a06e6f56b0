import { Global, Module } from '@nestjs/common';
import { CONFIG, readConfig } from './config.js';

/** Gives everyone the settings, read from the environment once. */
@Global()
@Module({
  providers: [{ provide: CONFIG, useFactory: () => readConfig(process.env) }],
  exports: [CONFIG],
})
export class ConfigModule {}
