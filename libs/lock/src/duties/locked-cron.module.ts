import { Module } from '@nestjs/common';
import { DiscoveryModule, ModulesContainer } from '@nestjs/core';
import { CronClock, SystemCronClock } from './cron.schedule.js';
import { LockedCrons } from './locked-crons.js';

/**
 * Schedules, which run when the application is up, and only then. Nest calls the hooks of modules by their distance from
 * the root, and a global one comes first at the boot and last at the shutdown: too early, and too late.
 */
@Module({ imports: [DiscoveryModule], providers: [{ provide: CronClock, useClass: SystemCronClock }, LockedCrons] })
export class LockedCronModule {
  constructor(modules: ModulesContainer) {
    for (const each of modules.values()) if (each.metatype === LockedCronModule) each.distance = -1;
  }
}
